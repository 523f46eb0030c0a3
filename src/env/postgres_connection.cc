#include "env/postgres_connection.h"

#include <poll.h>
#include <postgresql/libpq-fe.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "env/env.h"
#include "env/postgres_error.h"

namespace firn {

namespace {

// Types of the catalog, which never change.
constexpr uint32_t kByteaType = 17, kBigintType = 20, kTextType = 25, kUuidType = 2950;
constexpr uint32_t kTimestamptzType = 1184;
constexpr uint32_t kTextArrayType = 1009, kBigintArrayType = 1016, kUuidArrayType = 2951;

// What a connection string does not say itself.
constexpr const char* kDefaultKeywords[] = {"application_name",    "keepalives_idle",
                                            "keepalives_interval", "keepalives_count",
                                            "tcp_user_timeout",    "target_session_attrs"};
constexpr const char* kDefaultValues[] = {"firn", "30", "10", "3", "30000", "primary"};

template <typename T>
void append_big_endian(std::string* out, T value) {
  for (size_t i = sizeof(T); i-- > 0;) {
    out->push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i)));
  }
}

int64_t read_big_endian(const char* bytes, size_t size) {
  uint64_t value = size > 0 && (bytes[0] & 0x80) != 0 ? ~uint64_t{0} : 0;
  for (size_t i = 0; i < size; ++i) value = (value << 8) | static_cast<uint8_t>(bytes[i]);
  return static_cast<int64_t>(value);
}

// The binary form of a one-dimensional array without NULLs.
template <typename Values, typename Append>
void append_array(std::string* out, uint32_t type, const Values& values, const Append& append) {
  append_big_endian<int32_t>(out, values.empty() ? 0 : 1);
  append_big_endian<int32_t>(out, 0);
  append_big_endian<uint32_t>(out, type);
  if (values.empty()) return;
  append_big_endian<int32_t>(out, static_cast<int32_t>(values.size()));
  append_big_endian<int32_t>(out, 1);
  for (const auto& value : values) append(value);
}

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

Result<std::unique_ptr<PQconninfoOption, FreeOptions>> parse_dsn(const std::string& dsn) {
  char* error = nullptr;
  std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfoParse(dsn.c_str(), &error));
  if (options != nullptr) return options;
  std::string reason = error != nullptr ? error : "out of memory";
  PQfreemem(error);
  // libpq quotes what it could not read, which may hold the password.
  if (dsn.find("password") != std::string::npos || dsn.find('@') != std::string::npos) reason = "";
  while (reason.ends_with('\n')) reason.pop_back();
  return invalid_argument(
      "the dsn is not a connection string of PostgreSQL, such as "
      "'host=/run/postgresql dbname=firn user=firn'" +
      (reason.empty() ? "" : ": " + reason));
}

}  // namespace

Status check_postgres_dsn(const std::string& dsn) { return parse_dsn(dsn).status(); }

std::string mask_postgres_dsn(const std::string& dsn) {
  const auto options = parse_dsn(dsn);
  if (!options.ok()) return "****";
  std::string out;
  for (const PQconninfoOption* option = options->get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const bool secret = option->dispchar != nullptr && option->dispchar[0] == '*';
    out += (out.empty() ? "" : " ") + std::string(option->keyword) + "=";
    const std::string value = secret ? "****" : option->val;
    const bool plain = !value.empty() && value.find_first_of(" '\\") == std::string::npos;
    if (!plain) out += "'";
    for (const char c : value) {
      if (c == '\'' || c == '\\') out += '\\';
      out += c;
    }
    if (!plain) out += "'";
  }
  return out;
}

int64_t postgres_timestamp(TimeNs time) {
  constexpr int64_t kEpochUs = 946'684'800'000'000;  // 2000-01-01
  return (time / 1000 - (time % 1000 < 0 ? 1 : 0)) - kEpochUs;
}

std::string* PostgresParameters::start(uint32_t type) {
  types_.push_back(type);
  nulls_.push_back(false);
  return &values_.emplace_back();
}

PostgresParameters& PostgresParameters::add(int64_t number) {
  append_big_endian(start(kBigintType), number);
  return *this;
}

PostgresParameters& PostgresParameters::add(std::string_view text) {
  start(kTextType)->assign(text);
  return *this;
}

PostgresParameters& PostgresParameters::add(const Id& id) {
  start(kUuidType)->assign(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
  return *this;
}

PostgresParameters& PostgresParameters::add_time(TimeNs time) {
  append_big_endian(start(kTimestamptzType), postgres_timestamp(time));
  return *this;
}

PostgresParameters& PostgresParameters::add_bytes(ByteView bytes) {
  start(kByteaType)->assign(bytes);
  return *this;
}

PostgresParameters& PostgresParameters::add_bytes_or_null(const std::optional<ByteView>& bytes) {
  start(kByteaType)->assign(bytes.value_or(ByteView()));
  nulls_.back() = !bytes.has_value();
  return *this;
}

PostgresParameters& PostgresParameters::add(std::span<const int64_t> numbers) {
  std::string* out = start(kBigintArrayType);
  append_array(out, kBigintType, numbers, [&](int64_t number) {
    append_big_endian<int32_t>(out, sizeof(number));
    append_big_endian(out, number);
  });
  return *this;
}

PostgresParameters& PostgresParameters::add(std::span<const std::string> texts) {
  std::string* out = start(kTextArrayType);
  append_array(out, kTextType, texts, [&](const std::string& text) {
    append_big_endian<int32_t>(out, static_cast<int32_t>(text.size()));
    out->append(text);
  });
  return *this;
}

PostgresParameters& PostgresParameters::add(std::span<const Id> ids) {
  std::string* out = start(kUuidArrayType);
  append_array(out, kUuidType, ids, [&](const Id& id) {
    append_big_endian<int32_t>(out, static_cast<int32_t>(id.bytes.size()));
    out->append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
  });
  return *this;
}

void PostgresRows::Clear::operator()(pg_result* result) const { PQclear(result); }

size_t PostgresRows::rows() const {
  return result_ == nullptr ? 0 : static_cast<size_t>(PQntuples(result_.get()));
}

bool PostgresRows::is_null(size_t row, size_t column) const {
  return PQgetisnull(result_.get(), static_cast<int>(row), static_cast<int>(column)) != 0;
}

std::string_view PostgresRows::bytes(size_t row, size_t column) const {
  const int r = static_cast<int>(row), c = static_cast<int>(column);
  return {PQgetvalue(result_.get(), r, c), static_cast<size_t>(PQgetlength(result_.get(), r, c))};
}

int64_t PostgresRows::number(size_t row, size_t column) const {
  const std::string_view value = bytes(row, column);
  return read_big_endian(value.data(), value.size());
}

double PostgresRows::real(size_t row, size_t column) const {
  const int64_t bits = number(row, column);
  double value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

Id PostgresRows::id(size_t row, size_t column) const {
  Id id;
  const std::string_view value = bytes(row, column);
  if (value.size() == id.bytes.size()) std::memcpy(id.bytes.data(), value.data(), value.size());
  return id;
}

std::vector<std::string> PostgresRows::texts(size_t row, size_t column) const {
  constexpr size_t kHeader = 20;  // dimensions, flags, type, length, lower bound
  std::string_view value = bytes(row, column);
  std::vector<std::string> texts;
  if (value.size() < kHeader) return texts;
  value.remove_prefix(kHeader);
  while (value.size() >= 4) {
    const int64_t size = read_big_endian(value.data(), 4);
    value.remove_prefix(4);
    if (size < 0) continue;  // NULL
    texts.emplace_back(value.substr(0, static_cast<size_t>(size)));
    value.remove_prefix(std::min(value.size(), static_cast<size_t>(size)));
  }
  return texts;
}

int64_t PostgresRows::changed() const {
  return result_ == nullptr ? 0 : std::strtoll(PQcmdTuples(result_.get()), nullptr, 10);
}

std::string_view PostgresRows::command() const {
  return result_ == nullptr ? std::string_view() : PQcmdStatus(result_.get());
}

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(
    const PostgresOptions& options) {
  FIRN_TRY(check_postgres_dsn(options.dsn));
  std::vector<const char*> keywords(std::begin(kDefaultKeywords), std::end(kDefaultKeywords));
  std::vector<const char*> values(std::begin(kDefaultValues), std::end(kDefaultValues));
  // The connection string goes over what stands before it, and what stands behind over it.
  keywords.insert(keywords.end(), {"dbname", "client_encoding", nullptr});
  values.insert(values.end(), {options.dsn.c_str(), "UTF8", nullptr});
  std::unique_ptr<PostgresConnection> connection(
      new PostgresConnection(PQconnectStartParams(keywords.data(), values.data(), 1)));
  if (connection->connection_ == nullptr) return unavailable("out of memory for a connection");
  FIRN_TRY(connection->connect(options));
  FIRN_TRY(connection->configure());
  return connection;
}

PostgresConnection::~PostgresConnection() { PQfinish(connection_); }

Status PostgresConnection::connect(const PostgresOptions& options) {
  // Says the SQLSTATE of a refusal in its text, whatever language the server speaks.
  PQsetErrorVerbosity(connection_, PQERRORS_VERBOSE);
  // Notices are for people at a prompt; libpq would write them to standard error.
  PQsetNoticeProcessor(
      connection_, [](void*, const char*) {}, nullptr);
  const TimeNs deadline = posix_env()->monotonic() + options.connect_timeout_ns;
  PostgresPollingStatusType state =
      PQstatus(connection_) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
    answer_timeout_ns_ = deadline - posix_env()->monotonic();
    const Status ready = wait(state == PGRES_POLLING_WRITING);
    if (!ready.ok()) {
      return unavailable("no connection to PostgreSQL (" + mask_postgres_dsn(options.dsn) +
                         ") within " + format_duration(options.connect_timeout_ns));
    }
    state = PQconnectPoll(connection_);
  }
  if (state == PGRES_POLLING_FAILED) {
    return postgres_connect_error(PQerrorMessage(connection_),
                                  PQconnectionNeedsPassword(connection_) != 0)
        .with_context("cannot connect to PostgreSQL (" + mask_postgres_dsn(options.dsn) + ")");
  }
  PQsetErrorVerbosity(connection_, PQERRORS_DEFAULT);
  answer_timeout_ns_ = options.answer_timeout_ns;
  if (PQsetnonblocking(connection_, 1) != 0) return lost("cannot be made non-blocking");
  return Status();
}

Status PostgresConnection::configure() {
  std::string sql =
      "SET search_path = pg_catalog; SET timezone = 'UTC'; SET row_security = off; SET jit = off;"
      "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = '15min';"
      "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10;"
      "SET tcp_keepalives_count = 3; SET bytea_output = 'hex'; SET standard_conforming_strings = "
      "on;";
  // Also ends a statement whose client is gone.
  if (server_version() >= 140000) sql += "SET client_connection_check_interval = '10s';";
  return exec(sql);
}

int PostgresConnection::server_version() const { return PQserverVersion(connection_); }

bool PostgresConnection::is_idle() const {
  return !broken_ && !sent_ && !streaming_ && PQtransactionStatus(connection_) == PQTRANS_IDLE;
}

Status PostgresConnection::lost(const std::string& what) {
  broken_ = true;
  std::string reason = PQerrorMessage(connection_);
  while (reason.ends_with('\n')) reason.pop_back();
  return unavailable("the connection to PostgreSQL " + what +
                     (reason.empty() ? "" : ": " + reason));
}

Status PostgresConnection::check_usable() {
  if (broken_) return unavailable("the connection to PostgreSQL was lost before");
  FIRN_CHECK(!streaming_);
  return finish();
}

Status PostgresConnection::wait(bool for_write) {
  const TimeNs deadline = posix_env()->monotonic() + answer_timeout_ns_;
  while (true) {
    const DurationNs left = deadline - posix_env()->monotonic();
    if (left <= 0) {
      broken_ = timed_out_ = true;
      return unavailable("PostgreSQL gave no answer within " + format_duration(answer_timeout_ns_));
    }
    pollfd socket{};
    socket.fd = PQsocket(connection_);
    socket.events = static_cast<int16_t>(POLLIN | (for_write ? POLLOUT : 0));
    if (socket.fd < 0) return lost("was lost");
    const int ready = poll(&socket, 1, static_cast<int>(left / kMillisecondNs + 1));
    if (ready > 0) return Status();
    if (ready < 0 && errno != EINTR) return lost("cannot be waited for");
  }
}

Status PostgresConnection::flush() {
  while (true) {
    const int left = PQflush(connection_);
    if (left == 0) return Status();
    // A failure to send: what the server said before it closed is still to be read.
    if (left < 0) return PQconsumeInput(connection_) != 0 ? Status() : lost("was lost");
    FIRN_TRY(wait(true));
    // The server may have to be listened to before it goes on reading.
    if (PQconsumeInput(connection_) == 0) return lost("was lost");
  }
}

Status PostgresConnection::submit(const std::string& sql, const PostgresParameters& parameters) {
  FIRN_TRY(check_usable());
  const size_t count = parameters.size();
  std::vector<Oid> types(parameters.types_.begin(), parameters.types_.end());
  std::vector<const char*> values(count);
  std::vector<int> lengths(count), formats(count, 1);
  for (size_t i = 0; i < count; ++i) {
    values[i] = parameters.nulls_[i] ? nullptr : parameters.values_[i].data();
    lengths[i] = static_cast<int>(parameters.values_[i].size());
  }
  const int sent =
      PQsendQueryParams(connection_, sql.c_str(), static_cast<int>(count), types.data(),
                        values.data(), lengths.data(), formats.data(), 1);
  if (sent == 0) return lost("was lost");
  return Status();
}

Result<pg_result*> PostgresConnection::take_result() {
  while (PQisBusy(connection_) != 0) {
    FIRN_TRY(wait(false));
    if (PQconsumeInput(connection_) == 0) {
      // The reason may already have been read.
      if (PQisBusy(connection_) == 0) break;
      return lost("was lost");
    }
  }
  return PQgetResult(connection_);
}

Result<PostgresRows> PostgresConnection::collect() {
  PostgresRows rows;
  Status first;
  while (true) {
    FIRN_ASSIGN(pg_result * result, take_result());
    if (result == nullptr) break;
    PostgresRows taken(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COPY_IN) return taken;
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
      rows = std::move(taken);
    } else if (first.ok()) {
      first = postgres_result_error(result);
    }
  }
  if (PQstatus(connection_) == CONNECTION_BAD) broken_ = true;
  if (!first.ok()) return first;
  return rows;
}

Result<PostgresRows> PostgresConnection::run(const std::string& sql) {
  FIRN_TRY(check_usable());
  if (PQsendQuery(connection_, sql.c_str()) == 0) return lost("was lost");
  FIRN_TRY(flush());
  return collect();
}

Status PostgresConnection::exec(const std::string& sql) { return run(sql).status(); }

Status PostgresConnection::commit() {
  FIRN_TRY(finish());
  const Result<PostgresRows> done = run("COMMIT");
  if (done.ok() && done->command() == "COMMIT") return Status();
  if (broken_) {
    return outcome_unknown("the commit may or may not have happened: " +
                           std::string(done.status().message()));
  }
  FIRN_TRY(done.status());
  // No error to the server: it did what can be done with a transaction that failed.
  return internal_error("PostgreSQL rolled the transaction back, because part of it had failed");
}

Result<PostgresRows> PostgresConnection::query(const std::string& sql,
                                               const PostgresParameters& parameters) {
  FIRN_TRY(submit(sql, parameters));
  FIRN_TRY(flush());
  return collect();
}

Status PostgresConnection::send(const std::string& sql, const PostgresParameters& parameters) {
  FIRN_TRY(submit(sql, parameters));
  sent_ = true;
  return flush();
}

Status PostgresConnection::finish() {
  if (!sent_) return Status();
  sent_ = false;
  return collect().status();
}

Status PostgresConnection::stream(const std::string& sql, const PostgresParameters& parameters) {
  FIRN_TRY(submit(sql, parameters));
  if (PQsetSingleRowMode(connection_) == 0) return lost("cannot stream rows");
  streaming_ = true;
  return flush();
}

Result<bool> PostgresConnection::next(PostgresRows* row) {
  if (broken_) return unavailable("the connection to PostgreSQL was lost before");
  FIRN_CHECK(streaming_);
  FIRN_ASSIGN(pg_result * result, take_result());
  if (result != nullptr && PQresultStatus(result) == PGRES_SINGLE_TUPLE) {
    *row = PostgresRows(result);
    return true;
  }
  streaming_ = false;
  if (result == nullptr) return false;
  const PostgresRows last(result);
  const bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
  const Status status = good ? Status() : postgres_result_error(result);
  FIRN_TRY(collect().status());
  FIRN_TRY(status);
  return false;
}

Status PostgresConnection::begin_copy(const std::string& sql) { return run(sql).status(); }

Status PostgresConnection::copy(ByteView bytes) {
  while (true) {
    const int taken = PQputCopyData(connection_, bytes.data(), static_cast<int>(bytes.size()));
    if (taken < 0) return collect().status().ok() ? lost("refused data") : lost("was lost");
    if (taken > 0) return flush();
    FIRN_TRY(wait(true));
  }
}

Status PostgresConnection::end_copy() {
  while (true) {
    const int taken = PQputCopyEnd(connection_, nullptr);
    if (taken < 0) return lost("refused the end of the data");
    if (taken > 0) break;
    FIRN_TRY(wait(true));
  }
  FIRN_TRY(flush());
  return collect().status();
}

}  // namespace firn
