output "mapping_id" {
  description = "The mapping from the stream to the function."
  value       = aws_lambda_event_source_mapping.this.uuid
}
