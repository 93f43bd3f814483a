output "name" {
  description = "The table's name; whoever uses it waits for the table."
  value       = aws_dynamodb_table.this.name
}

output "stream_arn" {
  description = "The table's stream; null without one."
  value       = aws_dynamodb_table.this.stream_arn
}

output "statements" {
  description = "What a role needs: `own` for the service whose table it is, `read` to look up single items, `change` to do so and change them, `once` to remember what happened once, `add` to put items in, `query` to read the items of one key, `index` to read those of an index, `check` to make a transaction depend on items, `outbox` to publish the outbox: by the stream, by the index of what is unpublished, and all of it again."
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
    add = [{
      actions   = ["dynamodb:PutItem"]
      resources = [local.arn]
    }]
    check = [{
      actions   = ["dynamodb:ConditionCheckItem"]
      resources = [local.arn]
    }]
    index = {
      for name in keys(var.indexes) : name => [{
        actions   = ["dynamodb:Query"]
        resources = ["${local.arn}/index/${name}"]
      }]
    }
    query = [{
      actions   = ["dynamodb:Query"]
      resources = [local.arn]
    }]
    outbox = [
      {
        actions = [
          "dynamodb:DescribeStream",
          "dynamodb:GetRecords",
          "dynamodb:GetShardIterator",
          "dynamodb:ListStreams",
        ]
        resources = ["${local.arn}/stream/*"] # a stream is named by the moment it was made
      },
      {
        actions   = ["dynamodb:GetItem", "dynamodb:Scan", "dynamodb:UpdateItem"]
        resources = [local.arn]
      },
      {
        actions   = ["dynamodb:Query"]
        resources = ["${local.arn}/index/unpublished"]
      },
    ]
  }
}
