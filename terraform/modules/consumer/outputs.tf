output "queue_arn" {
  description = "The queue."
  value       = aws_sqs_queue.this.arn
}
