# Sourced by the scripts beside it.

say() { printf '%s: %s\n' "$(basename "$0")" "$*"; }

# fail <what failed> <what to do>...
fail() {
  printf "$(basename "$0"): %s\n" "$@" >&2
  exit 1
}

# Everything downloaded, or reused between builds; never inside the checkout.
cache=${CLEAVE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cleave}

# Cores this process may use; nproc alone would believe OMP_NUM_THREADS, which is set for the tests.
cores() { env -u OMP_NUM_THREADS nproc; }

# Compilations that may run at once: one a core, and 1.5 GB for each, since one that reads LibTorch
# peaks at 1.4 GB.
jobs() {
  local megabytes limit number
  megabytes=$(awk '/^MemAvailable/ { print int($2 / 1000) }' /proc/meminfo)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || echo max)
  if [[ $limit != max ]]; then
    limit=$(((limit - $(cat /sys/fs/cgroup/memory.current)) / 1000000))
    megabytes=$((limit < megabytes ? limit : megabytes))
  fi
  number=$((megabytes / 1500))
  number=$((number < $(cores) ? number : $(cores)))
  echo $((number > 0 ? number : 1))
}

# build <preset> [<CMake argument>...] [-- <target>...]: configures and builds build/<preset>.
build() {
  local preset=$1 configure=() targets=(all)
  shift
  while (($#)) && [[ $1 != -- ]]; do
    configure+=("$1")
    shift
  done
  if (($# > 1)); then targets=("${@:2}"); fi

  if command -v ccache >/dev/null; then
    configure+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    export CCACHE_DIR=${CCACHE_DIR:-$cache/ccache}
    # Without these, nothing that uses a precompiled header is ever found in the cache.
    export CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-pch_defines,time_macros,include_file_mtime,include_file_ctime}
  fi
  if command -v mold >/dev/null; then
    configure+=(-DCMAKE_EXE_LINKER_FLAGS_INIT=-fuse-ld=mold)
  fi
  say "configuring build/$preset"
  mkdir -p build
  cmake --preset "$preset" "${configure[@]}" >build/"$preset".log 2>&1 || {
    tail -n 40 build/"$preset".log >&2
    fail "CMake could not configure build/$preset; its last lines are above, all of them in build/$preset.log"
  }
  say "building build/$preset with $(jobs) jobs"
  cmake --build build/"$preset" --parallel "$(jobs)" --target "${targets[@]}" ||
    fail "the build failed; the compiler's message is above"
}
