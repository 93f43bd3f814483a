output "dead_queue_arn" {
  description = "The dead-letter queue."
  value       = module.dead.arn
}
