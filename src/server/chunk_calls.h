#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "store/store.h"

// Commands about chunks (docs/lifecycle.md), for the API and EventoDB's protocol alike.

namespace firn {

// "flush", "compress", "move", "rehydrate", "export", "drop"; nothing for another name.
std::optional<ChunkAction> find_chunk_action(std::string_view name);

// Reads the members of a command about chunks of one namespace of `store`; an empty text selects
// everything, where the action allows that. kInvalidArgument names the member that is wrong,
// kNotFound the tier there is none of.
Result<ChunkCommand> read_chunk_command(std::string_view json, ChunkAction action,
                                        NamespaceId name_space, const Store& store);

// [{"chunk","from","to","rows","bytes",...}...], an "error" in those that failed.
std::string chunk_outcomes_json(const ChunkCommandResult& result);

// {"chunks":[{"name","dataset","tier","state",...}...]}, all chunks of the snapshot.
std::string chunk_list_json(const Snapshot& snapshot);

}  // namespace firn
