output "arn" {
  description = "The topic; whoever subscribes waits for it to exist."
  value       = local.arn
  depends_on  = [aws_sns_topic.this]
}

output "statements" {
  description = "What a role needs to publish."
  value = {
    publish = [{
      actions   = ["sns:Publish"]
      resources = [local.arn]
    }]
  }
}
