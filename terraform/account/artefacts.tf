# Built code, each file once under its content hash; a stack's functions refer to it.

resource "aws_s3_bucket" "artefacts" {
  # checkov:skip=CKV_AWS_18: deploys alone put code here, under its content hash; reading it is no event worth a log
  # checkov:skip=CKV_AWS_144: everything in it can be built again from the commit
  # checkov:skip=CKV_AWS_145: code is no secret; S3's own key encrypts it
  # checkov:skip=CKV2_AWS_62: nothing waits for an artefact
  # checkov:skip=CKV2_AWS_61: the deploy sets the lifecycle; Terraform waits a minute to see whether one stays
  bucket = var.artefact_bucket
}

resource "aws_s3_bucket_public_access_block" "artefacts" {
  bucket                  = aws_s3_bucket.artefacts.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "artefacts" {
  bucket = aws_s3_bucket.artefacts.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "artefacts" {
  bucket = aws_s3_bucket.artefacts.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_policy" "artefacts" {
  bucket = aws_s3_bucket.artefacts.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OverTlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.artefact_bucket_arn, "${local.artefact_bucket_arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
