"""Devices: manifests, provisioning, registration by serial number and what devices are told."""
