output "name" {
  description = "The table's name; whoever uses it waits for the table."
  value       = aws_dynamodb_table.this.name
}

output "stream_arn" {
  description = "The table's stream; null without one."
  value       = aws_dynamodb_table.this.stream_arn
}

output "statements" {
  description = "What a role needs: `own` for the service whose table it is, `read` to look up single items, `change` to do so and change them, `once` to remember what happened once, `mark` to mark an outbox item, `stream` to follow the stream."
  value = {
    own = [{
      actions = [
        "dynamodb:ConditionCheckItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
      ]
      resources = [local.arn]
    }]
    read = [{
      actions   = ["dynamodb:GetItem"]
      resources = [local.arn]
    }]
    once = [{
      actions   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      resources = [local.arn]
    }]
    change = [{
      actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
      resources = [local.arn]
    }]
    mark = [{
      actions   = ["dynamodb:UpdateItem"]
      resources = [local.arn]
    }]
    stream = [{
      actions = [
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
      ]
      resources = ["${local.arn}/stream/*"] # a stream is named by the moment it was made
    }]
  }
}
