# A network with one way out: the VPN to a partner that is reachable inside its own network only. Nothing in it has an
# address on the internet, and what runs in it may speak HTTPS with the partner and nobody else.

locals {
  network = var.partner_network == null ? {} : { this = var.partner_network }
  zones   = var.partner_network == null ? {} : { a = 0, b = 1 }
}

resource "aws_vpc" "this" {
  # checkov:skip=CKV2_AWS_11: the proxy logs each request it makes, and nothing else runs here
  for_each = local.network

  cidr_block           = each.value.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = "paygo" }
}

# The group that AWS makes, and gives to whatever names none, lets nothing through.
resource "aws_default_security_group" "this" {
  for_each = local.network

  vpc_id = aws_vpc.this[each.key].id
}

resource "aws_subnet" "private" {
  for_each = local.zones

  vpc_id            = aws_vpc.this["this"].id
  cidr_block        = cidrsubnet(var.partner_network.cidr, 1, each.value)
  availability_zone = "${var.region}${each.key}"

  tags = { Name = "paygo-private-${each.key}" }
}

resource "aws_route_table" "private" {
  for_each = local.network

  vpc_id           = aws_vpc.this[each.key].id
  propagating_vgws = [aws_vpn_gateway.this[each.key].id]

  tags = { Name = "paygo-private" }
}

resource "aws_route_table_association" "private" {
  for_each = local.zones

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private["this"].id
}

resource "aws_security_group" "partner" {
  # checkov:skip=CKV2_AWS_5: a stack's proxy function is what it is attached to
  for_each = local.network

  name        = "paygo-partner"
  description = "Lets out what is for the partner."
  vpc_id      = aws_vpc.this[each.key].id

  egress {
    description = "HTTPS to the partner, through the VPN."
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = [each.value.partner_cidr]
  }
}

resource "aws_vpn_gateway" "this" {
  for_each = local.network

  vpc_id = aws_vpc.this[each.key].id

  tags = { Name = "paygo" }
}

resource "aws_customer_gateway" "partner" {
  for_each = local.network

  bgp_asn    = each.value.asn
  ip_address = each.value.customer_gateway_ip
  type       = "ipsec.1"

  tags = { Name = "paygo-partner" }
}

# AWS makes the tunnels' keys; whoever sets up the partner's end reads them in the console.
resource "aws_vpn_connection" "partner" {
  for_each = local.network

  vpn_gateway_id      = aws_vpn_gateway.this[each.key].id
  customer_gateway_id = aws_customer_gateway.partner[each.key].id
  type                = "ipsec.1"

  tags = { Name = "paygo-partner" }
}
