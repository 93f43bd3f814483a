# The AWS rule set is a plugin that tflint downloads from GitHub; its built-in rules need no network.
plugin "terraform" {
  enabled = true
  preset  = "all"
}
