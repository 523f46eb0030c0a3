#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/http_types.h"
#include "server/services.h"
#include "store/store.h"

namespace firn {

struct TailOptions {
  NamespaceId namespace_id = 0;
  std::string namespace_name;  // what it is called, should it be emptied
  Position after = 0;          // only events behind it
  Filter filter;               // its positions are ignored
  Projection projection = Projection::all();
  // What no predicate says; null: every row passes.
  std::function<bool(const RecordBatch&, uint32_t row)> passes;
  // Appends what is sent for a row; null: "id:" and "data:" with the event as the API shows it.
  std::function<void(const RecordBatch&, uint32_t row, std::string*)> write;
  std::string greeting;  // sent at once; empty: a comment that names the position
};

// Every matching event behind a position, in order and once each, as server-sent events: first what
// is stored, then what comes. It subscribes before it reads, and everything it sends it has read by
// position, so there is no seam between the two.
//
// When the namespace is emptied, everything in what takes its place follows; when it goes, the
// stream ends with an error. The store may go while the stream exists; the stream then ends.
std::unique_ptr<BodyStream> make_tail_stream(Services* services, const OpenStorePtr& open,
                                             TailOptions options);

}  // namespace firn
