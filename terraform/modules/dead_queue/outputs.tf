output "arn" {
  description = "The queue; whoever sends there waits for it to exist."
  value       = local.arn
  depends_on  = [aws_sqs_queue.this]
}

output "url" {
  description = "The queue's address, for who sends to it by URL."
  value       = aws_sqs_queue.this.url
}
