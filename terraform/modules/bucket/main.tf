# A private bucket. What is in it goes by itself after some days, and with a stack of development at once.

locals {
  # Bucket names are shared by everybody on AWS, so the account's number and the region are in it; 63 characters are allowed.
  name = "${var.stack.name}-${var.name}-${var.stack.account_id}-${var.stack.region}"
  # Built, not read, so that policies are known before the bucket exists.
  arn = "arn:${var.stack.partition}:s3:::${local.name}"
}

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18: functions alone come here, each with a right to read or to write
  # checkov:skip=CKV_AWS_21: nothing is written over or deleted by hand
  # checkov:skip=CKV_AWS_144: what is here is needed for days, in this region
  # checkov:skip=CKV_AWS_145: a key of our own is not shared by an account's stacks yet; S3's own key encrypts
  # checkov:skip=CKV2_AWS_62: nothing waits for an object
  bucket        = local.name
  force_destroy = var.stack.development

  # In line, since Terraform waits a minute to see whether a lifecycle of its own stays.
  lifecycle_rule {
    id                                     = "forget"
    enabled                                = true
    abort_incomplete_multipart_upload_days = 1

    expiration {
      days = var.days
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}
