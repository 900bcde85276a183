# Sourced by the scripts beside it.

say() { printf '%s\n' "-- $*" >&2; }

# fail <what failed> <what to do>
fail() {
  printf '%s: %s.\n%s: %s.\n' "$(basename "$0")" "$1" "what to do" "${2%.}" >&2
  exit 1
}

cache=${CLEAVE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cleave}

# Prints the folder of a LibTorch that was installed by someone else.
installed_torch() {
  local header=include/torch/csrc/api/include/torch/torch.h root prefixes
  IFS=: read -ra prefixes <<< "${CMAKE_PREFIX_PATH:-}"
  for root in "${LIBTORCH_ROOT:-}" ${Torch_DIR:+"$Torch_DIR/../../.."} \
    ${prefixes[@]+"${prefixes[@]}"} ${prefixes[@]+"${prefixes[@]/%//../..}"} "$(python_torch)"; do
    if [[ -n $root && -e $root/$header ]]; then
      echo "$root"
      return
    fi
  done
  return 1
}

# The torch package of the active python, located without importing it.
python_torch() {
  python3 -c '
import importlib.util
spec = importlib.util.find_spec("torch")
print(spec.submodule_search_locations[0] if spec else "")' 2> /dev/null || true
}

# Compilations that may run at once: one a core, and 1.5 GB for each, since one that reads LibTorch
# peaks at 1.4 GB.
jobs() {
  local cores kilobytes
  cores=$(nproc)
  kilobytes=$(awk '/^MemAvailable/ {print $2}' /proc/meminfo)
  local fit=$((kilobytes / 1500000))
  local number=$((cores < fit ? cores : fit))
  echo $((number > 0 ? number : 1))
}

# Sets `configure` to the CMake arguments that all builds share, and ccache's environment.
prepare_build() {
  configure=(-G Ninja)
  if command -v ccache > /dev/null; then
    configure+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    export CCACHE_DIR=${CCACHE_DIR:-$cache/ccache}
    # Without these, nothing that uses a precompiled header is ever found in the cache.
    export CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-pch_defines,time_macros,include_file_mtime,include_file_ctime}
  fi
  if command -v mold > /dev/null; then
    configure+=(-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=mold)
  fi
}
