#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "model/record_batch.h"
#include "model/schema.h"

namespace firn {

// SQL text must be UTF-8, the texts of events need not be. What is not UTF-8 is shown with U+FFFD,
// and our files and tables keep the bytes themselves in a column of their own, which is NULL in
// nearly every row (docs/formats/parquet.md, "_raw"). So they do with the bits of NaNs and of -0.0,
// which engines take for equal to others.

// What a place for texts can hold.
enum class TextRule : uint8_t {
  kUtf8,
  kUtf8WithoutNul,  // PostgreSQL
};

bool is_utf8(std::string_view text, TextRule rule = TextRule::kUtf8);
// Whether every entry of the column is UTF-8 by itself.
bool is_utf8(const StringColumn& column, TextRule rule = TextRule::kUtf8);
// The text with each byte that does not belong to a valid sequence replaced by U+FFFD.
std::string to_utf8(std::string_view text, TextRule rule = TextRule::kUtf8);

// The bytes of all texts of a row that are not UTF-8, and such floats as eight bytes: for each one
// u8 column id, u32 length, bytes. Empty when there is none.
std::string encode_raw_texts(const RecordBatch& batch, uint32_t row,
                             TextRule rule = TextRule::kUtf8);

// How many rows of the slice have such a value.
uint64_t count_raw_rows(const BatchSlice& slice, TextRule rule = TextRule::kUtf8);
// Whether no row of the batch has one.
bool has_only_utf8(const RecordBatch& batch, TextRule rule = TextRule::kUtf8);

// The reverse: by column id, the bytes that replace what the text column says. Nothing when the
// encoding does not hold. The views point into `raw`.
using RawTexts = std::array<std::optional<std::string_view>, kColumnIdCount>;
std::optional<RawTexts> decode_raw_texts(std::string_view raw);

// The member of `row` behind a text column, to put such a text back; null for other columns.
std::string_view* text_member(ColumnId id, EventRow* row);
// The same for columns of floats.
Float64* float_member(ColumnId id, EventRow* row);

}  // namespace firn
