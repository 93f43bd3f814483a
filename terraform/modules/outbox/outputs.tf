output "dead_queue_arn" {
  description = "The queue of what could not be published."
  value       = module.dead.arn
}
