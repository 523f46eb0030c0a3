# What Firn links, each as a target. Versions, licences and reasons: docs/dependencies.md.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(pugixml CONFIG REQUIRED)
find_package(simdjson 3.0 CONFIG REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(fmt 9 CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)

pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
add_library(firn_zstd INTERFACE)
target_link_libraries(firn_zstd INTERFACE PkgConfig::ZSTD)
add_library(firn::zstd ALIAS firn_zstd)

# Included as <postgresql/libpq-fe.h>, so that its directory is on nobody's include path.
find_library(POSTGRES_LIBRARY pq REQUIRED)
add_library(firn_postgres INTERFACE)
target_link_libraries(firn_postgres INTERFACE "${POSTGRES_LIBRARY}")
add_library(firn::postgres ALIAS firn_postgres)

find_path(PROTOZERO_INCLUDE protozero/pbf_reader.hpp REQUIRED)
add_library(firn_protozero INTERFACE)
target_include_directories(firn_protozero SYSTEM INTERFACE "${PROTOZERO_INCLUDE}")
add_library(firn::protozero ALIAS firn_protozero)

# Headers only.
find_path(FLATBUFFERS_INCLUDE flatbuffers/flatbuffers.h REQUIRED)
add_library(firn_flatbuffers INTERFACE)
target_include_directories(firn_flatbuffers SYSTEM INTERFACE "${FLATBUFFERS_INCLUDE}")
add_library(firn::flatbuffers ALIAS firn_flatbuffers)

find_library(SNAPPY_LIBRARY snappy REQUIRED)
add_library(firn_snappy INTERFACE)
target_link_libraries(firn_snappy INTERFACE "${SNAPPY_LIBRARY}")
add_library(firn::snappy ALIAS firn_snappy)

# Beast and Asio are used header-only; Asio's own threads need the thread library.
add_library(firn_boost INTERFACE)
target_link_libraries(firn_boost INTERFACE Boost::headers Threads::Threads)
add_library(firn::boost ALIAS firn_boost)

# DuckDB: prebuilt library and matching headers. The C++ API is bound to exactly this version.
set(FIRN_DUCKDB_VERSION "1.4.4")
set(FIRN_DUCKDB_ROOT "${DUCKDB_ROOT}")
if(NOT FIRN_DUCKDB_ROOT)
  set(FIRN_DUCKDB_ROOT "${PROJECT_SOURCE_DIR}/build/deps/duckdb-${FIRN_DUCKDB_VERSION}")
endif()
if(NOT EXISTS "${FIRN_DUCKDB_ROOT}/lib/libduckdb.so" OR NOT EXISTS "${FIRN_DUCKDB_ROOT}/include/duckdb.hpp")
  message(FATAL_ERROR
    "DuckDB ${FIRN_DUCKDB_VERSION} is not in ${FIRN_DUCKDB_ROOT}.\n"
    "Run scripts/setup, or point -DDUCKDB_ROOT= at a directory with lib/libduckdb.so and include/duckdb.hpp.")
endif()
add_library(firn_duckdb SHARED IMPORTED GLOBAL)
set_target_properties(firn_duckdb PROPERTIES
  IMPORTED_LOCATION "${FIRN_DUCKDB_ROOT}/lib/libduckdb.so"
  INTERFACE_INCLUDE_DIRECTORIES "${FIRN_DUCKDB_ROOT}/include")
add_library(firn::duckdb ALIAS firn_duckdb)

# Its CMake package wants protobuf and a dozen of its own libraries found again; the shared libraries
# know what they need.
find_library(GRPCPP_LIBRARY grpc++ REQUIRED)
find_library(GRPC_LIBRARY grpc REQUIRED)
find_library(GPR_LIBRARY gpr REQUIRED)
find_library(ABSL_SYNCHRONIZATION_LIBRARY absl_synchronization REQUIRED)  # for its inline functions
add_library(firn_grpc INTERFACE)
target_link_libraries(firn_grpc INTERFACE "${GRPCPP_LIBRARY}" "${GRPC_LIBRARY}" "${GPR_LIBRARY}"
                      "${ABSL_SYNCHRONIZATION_LIBRARY}")
add_library(firn::grpc ALIAS firn_grpc)

# The second log. RocksDB's own CMake package drags in libraries that are of no use here, so the
# shared library is taken directly.
find_library(ROCKSDB_LIBRARY rocksdb REQUIRED)
add_library(firn_rocksdb INTERFACE)
target_link_libraries(firn_rocksdb INTERFACE "${ROCKSDB_LIBRARY}")
add_library(firn::rocksdb ALIAS firn_rocksdb)

if(FIRN_TESTS)
  find_package(GTest CONFIG REQUIRED)
  include(GoogleTest)
  # The OTLP decoder is compared with it; nothing of the product uses it.
  find_library(PROTOBUF_LIBRARY protobuf REQUIRED)
  add_library(firn_protobuf INTERFACE)
  target_link_libraries(firn_protobuf INTERFACE "${PROTOBUF_LIBRARY}")
  add_library(firn::protobuf ALIAS firn_protobuf)
endif()
if(FIRN_BENCHES)
  find_package(benchmark CONFIG REQUIRED)
endif()
