#include <algorithm>
#include <memory>
#include <utility>

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/catalog/catalog_entry/copy_function_catalog_entry.hpp"
#include "duckdb/common/arrow/arrow_appender.hpp"
#include "duckdb/common/arrow/arrow_converter.hpp"
#include "duckdb/common/type_visitor.hpp"
#include "duckdb/common/vector_operations/vector_operations.hpp"
#include "duckdb/execution/execution_context.hpp"
#include "duckdb/function/copy_function.hpp"
#include "duckdb/function/table/arrow/arrow_duck_schema.hpp"
#include "duckdb/parallel/thread_context.hpp"
#include "duckdb/parser/parsed_data/copy_info.hpp"
#include "engine/arrow_stream.h"
#include "engine/duck.h"

namespace firn {

namespace {

using duckdb::LogicalType;
using duckdb::LogicalTypeId;
using Types = duckdb::vector<LogicalType>;

// A record batch ends with whatever comes first. Readers like large ones; we hold one at a time.
constexpr uint64_t kBatchRows = 64 * 1024;
constexpr uint64_t kBatchBytes = 4 * kMiB;

// See SqlEncoding.
LogicalType encoded_type(const LogicalType& type) {
  return duckdb::TypeVisitor::VisitReplace(type, [](const LogicalType& part) -> LogicalType {
    switch (part.id()) {
      case LogicalTypeId::HUGEINT:
      case LogicalTypeId::UHUGEINT:
        return LogicalType::DECIMAL(38, 0);
      case LogicalTypeId::SQLNULL:
        return LogicalType::INTEGER;
      case LogicalTypeId::ENUM:
      case LogicalTypeId::BIT:
      case LogicalTypeId::UNION:
      case LogicalTypeId::TIME_TZ:
      case LogicalTypeId::BIGNUM:
        return LogicalType::VARCHAR;
      default:
        return part;
    }
  });
}

Types encoded_types(const Types& types) {
  Types encoded;
  for (const LogicalType& type : types) encoded.push_back(encoded_type(type));
  return encoded;
}

// The rows of `from` with the types of `to`, which stay valid as long as `from`.
void convert(duckdb::ClientContext& context, duckdb::DataChunk& from, duckdb::DataChunk& to) {
  to.Reset();
  for (duckdb::idx_t i = 0; i < from.ColumnCount(); ++i) {
    if (from.data[i].GetType() == to.data[i].GetType()) {
      to.data[i].Reference(from.data[i]);
    } else {
      duckdb::VectorOperations::Cast(context, from.data[i], to.data[i], from.size());
    }
  }
  to.SetCardinality(from.size());
}

// About what the first `count` values of a flat vector take in Arrow.
uint64_t bytes_of(duckdb::Vector& vector, duckdb::idx_t count) {
  const LogicalType& type = vector.GetType();
  switch (type.InternalType()) {
    case duckdb::PhysicalType::VARCHAR: {
      duckdb::UnifiedVectorFormat format;
      vector.ToUnifiedFormat(count, format);
      const auto* texts = duckdb::UnifiedVectorFormat::GetData<duckdb::string_t>(format);
      uint64_t bytes = 4 * count;
      for (duckdb::idx_t i = 0; i < count; ++i) {
        const auto index = format.sel->get_index(i);
        if (format.validity.RowIsValid(index)) bytes += texts[index].GetSize();
      }
      return bytes;
    }
    case duckdb::PhysicalType::LIST: {
      // Several lists may share their values, so what lists have together counts.
      const auto* lists = duckdb::FlatVector::GetData<duckdb::list_entry_t>(vector);
      uint64_t items = 0;
      for (duckdb::idx_t i = 0; i < count; ++i) {
        if (!duckdb::FlatVector::IsNull(vector, i)) items += lists[i].length;
      }
      const auto stored = duckdb::ListVector::GetListSize(vector);
      if (stored == 0) return 4 * count;
      auto& item = duckdb::ListVector::GetEntry(vector);
      item.Flatten(stored);
      return 4 * count + bytes_of(item, stored) * items / stored;
    }
    case duckdb::PhysicalType::ARRAY: {
      auto& item = duckdb::ArrayVector::GetEntry(vector);
      const auto items = count * duckdb::ArrayType::GetSize(type);
      item.Flatten(items);
      return bytes_of(item, items);
    }
    case duckdb::PhysicalType::STRUCT: {
      uint64_t bytes = 0;
      for (auto& member : duckdb::StructVector::GetEntries(vector)) {
        member->Flatten(count);
        bytes += bytes_of(*member, count);
      }
      return bytes;
    }
    default:
      return duckdb::GetTypeIdSize(type.InternalType()) * count;
  }
}

// Writes chunks of one answer in one form.
class Encoder {
 public:
  virtual ~Encoder() = default;
  virtual Status begin(const Types& types, const duckdb::vector<std::string>& names) = 0;
  virtual Status add(duckdb::DataChunk& chunk) = 0;
  virtual Status finish() = 0;
};

class ArrowEncoder final : public Encoder {
 public:
  ArrowEncoder(duckdb::ClientContext& context, ByteSink* sink)
      : context_(context), properties_(context.GetClientProperties()), stream_(sink) {}

  Status begin(const Types& types, const duckdb::vector<std::string>& names) override {
    types_ = types;
    ArrowSchema schema;
    schema.Init();
    duckdb::ArrowConverter::ToArrowSchema(&schema, types, names, properties_);
    Status status = stream_.start(schema);
    if (schema.release != nullptr) schema.release(&schema);
    return status;
  }

  Status add(duckdb::DataChunk& chunk) override {
    // A few rows with long texts may be more than a batch.
    chunk.Flatten();
    const auto rows = chunk.size();
    uint64_t bytes = 0;
    for (auto& column : chunk.data) bytes += bytes_of(column, rows);
    const auto step = std::clamp<uint64_t>(rows * kBatchBytes / (bytes + 1), 1, rows);
    for (duckdb::idx_t from = 0; from < rows; from += step) {
      const auto to = std::min<uint64_t>(from + step, rows);
      FIRN_TRY(add_rows(chunk, from, to, bytes * (to - from) / rows));
    }
    return {};
  }

  Status finish() override {
    if (appender_ != nullptr) FIRN_TRY(write_batch());
    return stream_.finish();
  }

 private:
  Status add_rows(duckdb::DataChunk& chunk, duckdb::idx_t from, duckdb::idx_t to, uint64_t bytes) {
    if (appender_ == nullptr) {
      appender_ = std::make_unique<duckdb::ArrowAppender>(
          types_, to - from, properties_,
          duckdb::ArrowTypeExtensionData::GetExtensionTypes(context_, types_));
    }
    appender_->Append(chunk, from, to, chunk.size());
    bytes_ += bytes;
    if (appender_->RowCount() < kBatchRows && bytes_ < kBatchBytes) return {};
    return write_batch();
  }

  Status write_batch() {
    ArrowArray rows = appender_->Finalize();
    Status status = stream_.add_batch(rows);
    if (rows.release != nullptr) rows.release(&rows);
    appender_.reset();
    bytes_ = 0;
    return status;
  }

  duckdb::ClientContext& context_;
  duckdb::ClientProperties properties_;
  ArrowStreamWriter stream_;
  Types types_;
  std::unique_ptr<duckdb::ArrowAppender> appender_;  // of the batch that is being filled
  uint64_t bytes_ = 0;                               // about what it holds
};

// DuckDB's writer, used as COPY uses it from one thread. It gathers a row group in memory that
// counts for the engine's limit.
class ParquetEncoder final : public Encoder {
 public:
  explicit ParquetEncoder(Client& client)
      : context_(*client.connection.context),
        thread_(context_),
        execution_(context_, thread_, nullptr) {}

  Status begin(const Types& types, const duckdb::vector<std::string>& names) override {
    auto& database = *context_.db;
    const auto transaction = duckdb::CatalogTransaction::GetSystemTransaction(database);
    auto& schema =
        duckdb::Catalog::GetSystemCatalog(database).GetSchema(transaction, DEFAULT_SCHEMA);
    auto entry = schema.GetEntry(transaction, duckdb::CatalogType::COPY_FUNCTION_ENTRY, "parquet");
    FIRN_CHECK(entry);
    function_ = entry->Cast<duckdb::CopyFunctionCatalogEntry>().function;
    duckdb::CopyInfo info;
    info.is_from = false;
    info.format = "parquet";
    info.file_path = kAnswerUrl;
    info.options["compression"] = {duckdb::Value("zstd")};
    info.options["compression_level"] = {duckdb::Value::BIGINT(1)};
    duckdb::CopyFunctionBindInput input(info);
    bind_ = function_.copy_to_bind(context_, input, names, types);
    global_ = function_.copy_to_initialize_global(context_, *bind_, kAnswerUrl);
    local_ = function_.copy_to_initialize_local(execution_, *bind_);
    return {};
  }

  Status add(duckdb::DataChunk& chunk) override {
    function_.copy_to_sink(execution_, *bind_, *global_, *local_, chunk);
    return {};
  }

  Status finish() override {
    function_.copy_to_combine(execution_, *bind_, *global_, *local_);
    function_.copy_to_finalize(context_, *bind_, *global_);
    return {};
  }

 private:
  duckdb::ClientContext& context_;
  duckdb::ThreadContext thread_;
  duckdb::ExecutionContext execution_;
  duckdb::CopyFunction function_{"parquet"};
  duckdb::unique_ptr<duckdb::FunctionData> bind_;
  duckdb::unique_ptr<duckdb::GlobalFunctionData> global_;
  duckdb::unique_ptr<duckdb::LocalFunctionData> local_;
};

Status write_answer(Client& client, Client& writer, const SqlRequest& request, Encoder* encoder,
                    uint64_t* rows) {
  FIRN_ASSIGN(const auto result, start_statement(client, request));
  const Types types = encoded_types(result->types);
  auto names = result->names;
  duckdb::QueryResult::DeduplicateColumns(names);
  // Failures of the writer are in its own session.
  const auto write = [&writer](auto&& action) { return guarded(*writer.session, action); };
  FIRN_TRY(write([&] { return encoder->begin(types, names); }));
  const bool converts = types != result->types;
  duckdb::DataChunk converted;
  if (converts) converted.Initialize(*client.connection.context, types);
  while (true) {
    FIRN_ASSIGN(const auto chunk, next_chunk(*result, request, *client.session, rows));
    if (chunk == nullptr) return write([&] { return encoder->finish(); });
    if (converts) convert(*client.connection.context, *chunk, converted);
    FIRN_TRY(write([&] { return encoder->add(converts ? converted : *chunk); }));
  }
}

}  // namespace

Status execute_encoded(Client& client, Client& writer, const SqlRequest& request,
                       SqlEncoding encoding, ByteSink* sink, SqlSummary* summary) {
  return guarded(*client.session, [&]() -> Status {
    if (encoding == SqlEncoding::kArrowStream) {
      ArrowEncoder encoder(*client.connection.context, sink);
      return write_answer(client, writer, request, &encoder, &summary->rows);
    }
    writer.session->answer = sink;
    ParquetEncoder encoder(writer);
    return write_answer(client, writer, request, &encoder, &summary->rows);
  });
}

}  // namespace firn
