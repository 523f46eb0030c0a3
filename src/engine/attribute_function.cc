#include <optional>
#include <string>

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/parser/parsed_data/create_scalar_function_info.hpp"
#include "engine/duck.h"
#include "model/filter.h"
#include "model/raw_text.h"

namespace firn {

namespace {

using duckdb::idx_t;
using duckdb::LogicalType;
using duckdb::string_t;
using duckdb::UnifiedVectorFormat;

// A text argument of many rows; NULL is the empty text, as in a record batch.
class TextArgument {
 public:
  TextArgument(duckdb::Vector& vector, idx_t count) { vector.ToUnifiedFormat(count, format_); }
  std::string_view operator[](idx_t row) const {
    const idx_t index = format_.sel->get_index(row);
    if (!format_.validity.RowIsValid(index)) return {};
    const string_t& text = UnifiedVectorFormat::GetData<string_t>(format_)[index];
    return {text.GetData(), text.GetSize()};
  }

 private:
  UnifiedVectorFormat format_;
};

// firn_attribute(data, metadata, context, key): what attribute_of() finds, else NULL.
void attribute(duckdb::DataChunk& arguments, duckdb::ExpressionState&, duckdb::Vector& result) {
  const idx_t count = arguments.size();
  const TextArgument data(arguments.data[0], count), metadata(arguments.data[1], count),
      context(arguments.data[2], count), key(arguments.data[3], count);
  result.SetVectorType(duckdb::VectorType::FLAT_VECTOR);
  auto* texts = duckdb::FlatVector::GetData<string_t>(result);
  auto& validity = duckdb::FlatVector::Validity(result);
  for (idx_t row = 0; row < count; ++row) {
    const std::optional<std::string> found =
        attribute_of(data[row], metadata[row], context[row], key[row]);
    if (!found.has_value()) {
      validity.SetInvalid(row);
      continue;
    }
    const std::string text = is_utf8(*found) ? *found : to_utf8(*found);
    texts[row] = duckdb::StringVector::AddString(result, text.data(), text.size());
  }
}

}  // namespace

void register_attribute_function(duckdb::DatabaseInstance& database) {
  duckdb::ScalarFunction function(
      "firn_attribute",
      {LogicalType::VARCHAR, LogicalType::VARCHAR, LogicalType::VARCHAR, LogicalType::VARCHAR},
      LogicalType::VARCHAR, attribute);
  function.null_handling = duckdb::FunctionNullHandling::SPECIAL_HANDLING;
  duckdb::CreateScalarFunctionInfo info(std::move(function));
  auto& catalog = duckdb::Catalog::GetSystemCatalog(database);
  catalog.CreateFunction(duckdb::CatalogTransaction::GetSystemTransaction(database), info);
}

}  // namespace firn
