#pragma once

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/api_face.h"
#include "server/metric_parameters.h"
#include "views/metrics/metric_reads.h"
#include "wire/json_text.h"

// What answers about metrics have in common (docs/http-api.md, "Metrics").

namespace firn {

// Of the memory for answers, what one page may be; while it is made, it takes some times that.
inline constexpr uint64_t kMetricPageShare = 8;
inline constexpr uint64_t kMetricPageCopies = 4;

// So much before a time, or the first time there is.
TimeNs earlier(TimeNs time, DurationNs duration);

// JSON has no NaN and no infinities; they are texts.
void append_number(double value, std::string* out);

// "<name>":[...]
template <typename Items, typename Append>
void append_list(std::string_view name, const Items& items, std::string* out,
                 const Append& append) {
  append_json_key(name, out);
  out->push_back('[');
  bool is_first = true;
  for (const auto& item : items) {
    if (!is_first) out->push_back(',');
    is_first = false;
    append(item, out);
  }
  out->push_back(']');
}

// ,"next":...,"tiers":[...]} and so the end of an answer.
HttpResponse end_page(std::string body, const std::string& next, const QueryCost& cost);

// Where the page begins that is asked for; nothing for the first. kInvalidArgument.
Result<std::optional<PointCursor>> point_cursor(const MetricSelection& selection);

// While a page is made, it takes some times what it will be.
Result<MemoryBudget::Share> take_page_memory(Services* services, const HttpRequest& request);

// What a route works with.
struct MetricQuestion {
  const OpenStore& open;
  const Snapshot& snapshot;
  const MetricSelection& selection;
  QueryGuard guard;
  uint64_t page_bytes = 0;
};

// Reads `known` and what every question has, and answers with `work` on a query thread.
template <typename Work>
void answer_metrics(Services* services, const HttpRequestPtr& request, const Responder& respond,
                    std::initializer_list<MetricParameter> known, Work work) {
  auto parsed =
      parse_metric_selection(request->query, known, services->env->now(), services->limits);
  if (!parsed.ok()) return respond(json_error(parsed.status()));
  run_query(services, request, respond,
            [services, request, selection = std::move(*parsed), work]() -> Result<HttpResponse> {
              FIRN_ASSIGN(const Target target, find_target(services, *request));
              FIRN_ASSIGN(const SnapshotPtr snapshot,
                          target.open->store->snapshot(target.name_space.id));
              FIRN_ASSIGN(const MemoryBudget::Share share, take_page_memory(services, *request));
              const MetricQuestion question{*target.open, *snapshot, selection,
                                            make_guard(services, request),
                                            share.bytes() / kMetricPageCopies};
              return work(question);
            });
}

}  // namespace firn
