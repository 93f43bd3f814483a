output "functions" {
  description = "The functions by `<service>/<name>`: what to call and the name that permissions go by."
  value = {
    for name, alias in aws_lambda_alias.live : "${var.name}/${name}" => {
      alias_arn = alias.arn
      name      = alias.function_name
      qualifier = alias.name
    }
  }

  # Who is handed a function to call must find its permission.
  depends_on = [aws_lambda_permission.this]
}
