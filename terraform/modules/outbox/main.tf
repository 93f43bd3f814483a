# The stream of a table gives new outbox items to the function that publishes them.

# It is told which stream records could not be published; the items themselves stay in the table, unmarked.
module "dead" {
  source            = "../dead_queue"
  stack             = var.stack
  name              = var.name
  alarm_description = "Events could not be published: mend the cause, then publish the unmarked outbox items again."
}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn        = var.stream_arn
  function_name           = var.function_arn
  function_response_types = ["ReportBatchItemFailures"]
  batch_size              = 100

  # From the oldest record: an item written before the mapping was ready is published too.
  starting_position = "TRIM_HORIZON"

  # One bad record must not hold up its shard.
  bisect_batch_on_function_error = true
  maximum_retry_attempts         = 10
  maximum_record_age_in_seconds  = 60 * 60

  filter_criteria {
    filter {
      pattern = jsonencode({
        eventName = ["INSERT"]
        dynamodb  = { Keys = { pk = { S = [{ prefix = "OUTBOX#" }] } } }
      })
    }
  }

  destination_config {
    on_failure {
      destination_arn = module.dead.arn
    }
  }
}
