#!/usr/bin/env bash
# Makes everything a verb of the Makefile needs, and says nothing when it is all there.
#
#   ./setup.sh          uv, Python 3.13, the locked environments (.venv and local/.venv), Terraform
#   ./setup.sh python   the same without Terraform
#   ./setup.sh lint     the above, and tflint
#
# PAYGO_HOME moves the working folder (.paygo). Tools already on the machine are used where they fit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

home=${PAYGO_HOME:-.paygo}
case $home in /*) ;; *) home=$PWD/$home ;; esac
bin=$home/bin
uv_version=0.13.9
tflint_version=v0.64.0
terraform_version=1.11.4
terraform_wanted="Terraform 1.11 or later"

say() { printf '\033[2m·\033[0m %s\n' "$*" >&2; }
fail() { printf '\033[31mpaygo:\033[0m %s\n' "$*" >&2; exit 1; }
link() { mkdir -p "$bin" && ln -sfn "$1" "$bin/$2"; }

# The environment is current when it was made from these very lock files.
current() { # environment, lock...
  local environment=$1 lock; shift
  [ -x "$environment/bin/python" ] || return 1
  for lock; do cmp -s "$lock" "$environment/.made-from/${lock//\//+}" || return 1; done
}
stamp() {
  local environment=$1 lock; shift
  mkdir -p "$environment/.made-from"
  for lock; do cp "$lock" "$environment/.made-from/${lock//\//+}"; done
}

find_uv() {
  [ -x "$bin/uv" ] && return
  local found
  if found=$(type -P uv); then link "$found" uv; return; fi
  type -P python3 >/dev/null || fail "python3 is needed to install uv: install Python 3, or uv itself, and run this again."
  say "installing uv $uv_version"
  python3 -m venv "$home/venv-uv" >&2 \
    || fail "python3 cannot make a virtual environment (python3-venv is missing?): install it, or uv itself, and run this again."
  "$home/venv-uv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$uv_version" >&2 \
    || fail "uv could not be downloaded: check the network (or install uv yourself) and run this again."
  link "$home/venv-uv/bin/uv" uv
}

is_3_13() { [ -x "$1" ] && [ "$("$1" -c 'import sys; print(*sys.version_info[:2])' 2>/dev/null)" = "3 13" ]; }

find_python() {
  local candidate
  is_3_13 "$home/bin/python3.13" && return
  # pyenv keeps several versions and shows uv only the active one, so its folder is looked at directly.
  for candidate in "$(type -P python3.13 || true)" \
      "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python3.13 \
      "$("$bin/uv" python find --no-project --system 3.13 2>/dev/null || true)"; do
    if is_3_13 "$candidate"; then
      link "$("$candidate" -c 'import sys; print(sys.executable)')" python3.13
      return
    fi
  done
  say "installing Python 3.13"
  "$bin/uv" python install 3.13 >&2 \
    || fail "Python 3.13 is not on this machine and could not be downloaded: install it and run this again."
  link "$("$bin/uv" python find --no-project 3.13)" python3.13
}

sync() { # project, environment
  [ -f "$1/uv.lock" ] || return 0
  say "installing the locked packages of $2"
  # -u: an environment that the caller has activated must not be mistaken for ours.
  env -u VIRTUAL_ENV -u UV_PROJECT_ENVIRONMENT "$bin/uv" sync --locked --quiet --project "$1" --python "$home/bin/python3.13" >&2 \
    || fail "the Python packages of $2 could not be installed: check the network (or the message above) and run this again."
}

python_ready() { current .venv uv.lock pyproject.toml && { [ ! -f local/uv.lock ] || current local/.venv local/uv.lock local/pyproject.toml; }; }

setup_python() {
  python_ready && [ -x "$bin/uv" ] && return
  find_uv
  find_python
  if ! current .venv uv.lock pyproject.toml; then
    sync . .venv
    stamp .venv uv.lock pyproject.toml
  fi
  if [ -f local/uv.lock ] && ! current local/.venv local/uv.lock local/pyproject.toml; then
    sync local local/.venv
    stamp local/.venv local/uv.lock local/pyproject.toml
  fi
}

recent_terraform() {
  local version
  [ -x "$1" ] || return 1
  version=$(env -u TF_CLI_CONFIG_FILE "$1" version 2>/dev/null | sed -n '1s/^Terraform v\([0-9]*\.[0-9]*\).*/\1/p')
  [ -n "$version" ] && { [ "${version%%.*}" -gt 1 ] || { [ "${version%%.*}" -eq 1 ] && [ "${version#*.}" -ge 11 ]; }; }
}

download_terraform() {
  local site=https://releases.hashicorp.com/terraform/$terraform_version file
  file=terraform_${terraform_version}_$(uname -s | tr '[:upper:]' '[:lower:]')_$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/').zip
  type -P curl >/dev/null || return 1
  say "downloading Terraform $terraform_version"
  curl -fsS --connect-timeout 10 -o "$home/$file" "$site/$file" 2>/dev/null \
    && curl -fsS --connect-timeout 10 "$site/terraform_${terraform_version}_SHA256SUMS" 2>/dev/null | grep " $file\$" \
      | (cd "$home" && { sha256sum --check --status 2>/dev/null || shasum -a 256 --check --status; }) \
    && "$home/bin/python3.13" -m zipfile -e "$home/$file" "$bin" && chmod +x "$bin/terraform" && rm -f "$home/$file"
}

setup_terraform() {
  local candidate
  [ -x "$bin/terraform" ] && return
  for candidate in "$(type -P terraform || true)" /usr/local/bin/terraform /opt/homebrew/bin/terraform \
      /opt/terraform/terraform /snap/bin/terraform "$HOME/bin/terraform" "$HOME/.local/bin/terraform"; do
    if recent_terraform "$candidate"; then link "$candidate" terraform; return; fi
  done
  download_terraform && return
  fail "$terraform_wanted is not on this machine and could not be downloaded: install it (https://developer.hashicorp.com/terraform/install), or put its binary at $bin/terraform, and run this again."
}

setup_lint() {
  [ -x "$bin/tflint" ] && return
  local found
  if found=$(type -P tflint); then link "$found" tflint; return; fi
  type -P go >/dev/null || fail "tflint $tflint_version is needed for the lint: install it, or Go to build it with, and run this again."
  say "building tflint $tflint_version, a minute or two"
  # CGO off: the binary is the same with and without a C compiler.
  GOBIN=$bin CGO_ENABLED=0 GOFLAGS='' go install "github.com/terraform-linters/tflint@$tflint_version" 2>"$home/tflint.log" \
    || fail "tflint could not be built ($home/tflint.log says why): check the network, or install tflint yourself, and run this again."
}

mkdir -p "$bin"
case ${1:-all} in
  python) setup_python ;;
  all) setup_python; setup_terraform ;;
  lint) setup_python; setup_terraform; setup_lint ;;
  *) fail "unknown part '$1': use python, all or lint." ;;
esac
