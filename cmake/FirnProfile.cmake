# Compiler and linker flags of each profile, set once for every target of the project.
# CMAKE_BUILD_TYPE stays "None", so that CMake adds nothing of its own (above all no -DNDEBUG).

if(NOT FIRN_PROFILE MATCHES "^(dev|release|asan|tsan|fuzz|clang)$")
  message(FATAL_ERROR "FIRN_PROFILE is '${FIRN_PROFILE}'; it must be dev, release, asan, tsan, fuzz or clang")
endif()
set(CMAKE_BUILD_TYPE "None" CACHE STRING "Unused: FIRN_PROFILE decides the flags" FORCE)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)

add_compile_definitions(FIRN_VERSION="${PROJECT_VERSION}")
if(NOT FIRN_MUTANT EQUAL 0)
  add_compile_definitions(FIRN_HAS_MUTANTS)
endif()
add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Werror -fno-omit-frame-pointer)
add_link_options(-Wl,--enable-new-dtags)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc 12 reports these inside its own std::string and std::vector once they are inlined; they are
  # known false alarms of that release, so they are shown (or dropped) without stopping the build.
  add_compile_options(-Wno-restrict -Wno-error=array-bounds -Wno-error=stringop-overflow
                      -Wno-error=stringop-overread -Wno-error=maybe-uninitialized)
else()
  # gcc's -Wconversion leaves signedness out for C++; keep both compilers at the same rule.
  add_compile_options(-Wthread-safety -Wno-sign-conversion)
endif()

if(FIRN_PROFILE STREQUAL "release")
  add_compile_options(-O2 -g1 -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  add_link_options(-Wl,-z,relro -Wl,-z,now)
elseif(FIRN_PROFILE STREQUAL "asan")
  add_compile_options(-O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
  add_compile_definitions(_GLIBCXX_ASSERTIONS FIRN_SANITIZED)
elseif(FIRN_PROFILE STREQUAL "tsan")
  add_compile_options(-O1 -g1 -fsanitize=thread)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)  # Asio uses a fence that this sanitizer cannot follow
  endif()
  add_link_options(-fsanitize=thread
                   -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/no_exports.map)
  add_compile_definitions(_GLIBCXX_ASSERTIONS FIRN_SANITIZED)
  # This sanitizer fails at start where the kernel spreads addresses too widely: switch that off for
  # the tests, as far as that is permitted.
  file(READ /proc/sys/vm/mmap_rnd_bits random_bits)
  execute_process(COMMAND setarch -R true RESULT_VARIABLE cannot OUTPUT_QUIET ERROR_QUIET)
  if(random_bits GREATER 28 AND NOT cannot)
    set(without_random_addresses setarch -R)
  endif()
elseif(FIRN_PROFILE STREQUAL "fuzz")
  add_compile_options(-O1 -g1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
                      -fno-sanitize=function,vptr)
  add_link_options(-fsanitize=address,undefined)
  add_compile_definitions(_GLIBCXX_ASSERTIONS FIRN_SANITIZED)
else()
  add_compile_options(-O1 -g1)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
endif()

# One compiler cache for all presets and all build directories: paths are made relative first.
find_program(FIRN_CCACHE ccache)
if(FIRN_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND};-E;env;CCACHE_BASEDIR=${PROJECT_SOURCE_DIR};CCACHE_NOHASHDIR=1;${FIRN_CCACHE}")
endif()

# Every test gets the sanitizers' settings, in whatever preset it runs: those that start one of our
# programs through a launcher (gtest_discover_tests() would keep only the first of several variables), those
# that start a script as its environment.
set(FIRN_TEST_ENVIRONMENT
  "ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=1"
  "UBSAN_OPTIONS=print_stacktrace=1"
  "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=${PROJECT_SOURCE_DIR}/cmake/tsan.supp")
if(FIRN_PROFILE MATCHES "^(asan|tsan|fuzz)$")
  set(CMAKE_CROSSCOMPILING_EMULATOR env ${FIRN_TEST_ENVIRONMENT} ${without_random_addresses})
endif()
