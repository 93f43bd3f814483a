output "name" {
  description = "The bucket's name; whoever uses it waits for the bucket."
  value       = aws_s3_bucket.this.bucket
}

output "statements" {
  description = "What a role needs: `read` for objects whose key it knows, `find` to learn that there is none too, `write` to put them there."
  value = {
    read = [{
      actions   = ["s3:GetObject"]
      resources = ["${local.arn}/*"]
    }]
    find = [
      {
        actions   = ["s3:GetObject"]
        resources = ["${local.arn}/*"]
      },
      {
        # Without it S3 answers that access is denied where there is no object.
        actions   = ["s3:ListBucket"]
        resources = [local.arn]
      },
    ]
    write = [{
      actions   = ["s3:PutObject"]
      resources = ["${local.arn}/*"]
    }]
  }
}
