#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

struct pg_result;

// What PostgreSQL's failures mean to us; internal to postgres_connection.

namespace firn {

// Of a statement's result that is not ok.
Status postgres_result_error(const pg_result* result);

// Of a failed attempt to connect. `message` is libpq's, with verbose errors, so that what a server
// said has its SQLSTATE in it.
Status postgres_connect_error(std::string_view message, bool needs_password);

// The code of a SQLSTATE (five characters; empty when there was no server to name one).
StatusCode postgres_error_code(std::string_view sqlstate);

}  // namespace firn
