# Fleet provisioning by claim: a batch's claim certificate may only ask for a device's own certificate, which starts
# inactive and is activated when a household registers the device.

locals {
  provisioning = ["$aws/certificates/create/json", "$aws/provisioning-templates/${local.template}/provision/json"]
  outcomes     = flatten([for topic in local.provisioning : ["${topic}/accepted", "${topic}/rejected"]])
}

resource "aws_iot_policy" "claim" {
  name = "${var.stack.name}-claim"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = "iot:Connect"
        # Things' names go on with a serial number in capitals, so none of them is open to who holds the claim certificate:
        # a client under a device's name would push the device off.
        Resource = "${local.arns}:client/${var.stack.name}-claim-*"
      },
      {
        Effect   = "Allow"
        Action   = "iot:Publish"
        Resource = [for topic in local.provisioning : "${local.arns}:topic/${topic}"]
      },
      {
        Effect   = "Allow"
        Action   = "iot:Receive"
        Resource = [for topic in local.outcomes : "${local.arns}:topic/${topic}"]
      },
      {
        Effect   = "Allow"
        Action   = "iot:Subscribe"
        Resource = [for topic in local.outcomes : "${local.arns}:topicfilter/${topic}"]
      },
    ]
  })
}

resource "aws_iot_certificate" "claim" {
  active = true
}

resource "aws_iot_policy_attachment" "claim" {
  policy = aws_iot_policy.claim.name
  target = aws_iot_certificate.claim.arn
}

resource "aws_secretsmanager_secret" "claim" {
  # checkov:skip=CKV_AWS_149: a key of our own is not shared by an account's stacks yet; Secrets Manager's own key encrypts
  # checkov:skip=CKV2_AWS_57: the certificate is burnt into a batch of devices and replaced with the next batch
  name                    = "${var.stack.name}/devices/claim"
  description             = "Claim certificate and key of a batch of devices."
  recovery_window_in_days = var.stack.development ? 0 : 30
}

resource "aws_secretsmanager_secret_version" "claim" {
  secret_id = aws_secretsmanager_secret.claim.id
  secret_string = jsonencode({
    certificate_pem = aws_iot_certificate.claim.certificate_pem
    private_key     = aws_iot_certificate.claim.private_key
  })
}

resource "aws_iot_provisioning_template" "this" {
  name                  = local.template
  description           = "Devices of the stack ${var.stack.name}."
  enabled               = true
  provisioning_role_arn = aws_iam_role.provisioning.arn

  pre_provisioning_hook {
    payload_version = "2020-04-01"
    target_arn      = var.hook_arn
  }

  template_body = jsonencode({
    Parameters = {
      SerialNumber                = { Type = "String" }
      Proof                       = { Type = "String" }
      ThingName                   = { Type = "String" } # given by the hook
      "AWS::IoT::Certificate::Id" = { Type = "String" }
    }
    Resources = {
      thing = {
        Type = "AWS::IoT::Thing"
        Properties = {
          ThingName = { Ref = "ThingName" }
          # By name alone, a stack's things could not be told from those of a stack whose name begins alike.
          AttributePayload = { stack = var.stack.name }
        }
      }
      certificate = {
        Type = "AWS::IoT::Certificate"
        Properties = {
          CertificateId = { Ref = "AWS::IoT::Certificate::Id" }
          Status        = "INACTIVE"
        }
      }
      policy = {
        Type       = "AWS::IoT::Policy"
        Properties = { PolicyName = aws_iot_policy.device.name }
      }
    }
  })

  depends_on = [aws_iam_role_policy.provisioning]
}

resource "aws_iam_role" "provisioning" {
  name                 = "${var.stack.name}-provisioning"
  permissions_boundary = var.stack.boundary
  assume_role_policy   = local.trust
}

resource "aws_iam_role_policy" "provisioning" {
  name = "things"
  role = aws_iam_role.provisioning.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["iot:AttachThingPrincipal", "iot:CreateThing", "iot:DescribeThing", "iot:UpdateThing"]
        Resource = "${local.arns}:thing/${var.stack.name}-*"
      },
      {
        Effect = "Allow"
        Action = [
          "iot:AttachPolicy",
          "iot:AttachPrincipalPolicy",
          "iot:AttachThingPrincipal",
          "iot:DescribeCertificate",
          "iot:UpdateCertificate",
        ]
        # A certificate's name is made by AWS when the device asks for it.
        Resource = "${local.arns}:cert/*"
      },
      {
        Effect   = "Allow"
        Action   = "iot:GetPolicy"
        Resource = "${local.arns}:policy/${local.device_policy}"
      },
      {
        Effect = "Allow"
        Action = "iot:RegisterThing"
        # The action knows no resources.
        Resource = "*"
      },
    ]
  })
}
