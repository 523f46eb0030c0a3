#include "server/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace firn {

namespace {

double seconds_of(DurationNs duration) { return static_cast<double>(duration) / 1e9; }

void append_escaped(std::string_view text, std::string* out) {
  for (const char c : text) {
    if (c == '\\' || c == '"') out->push_back('\\');
    if (c == '\n') {
      *out += "\\n";
    } else {
      out->push_back(c);
    }
  }
}

}  // namespace

void Histogram::observe(DurationNs duration) {
  const auto bucket = std::lower_bound(kBounds.begin(), kBounds.end(), duration) - kBounds.begin();
  buckets_[static_cast<size_t>(bucket)].add();
  sum_ns_.add(static_cast<uint64_t>(std::max<DurationNs>(duration, 0)));
}

void MetricsText::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  *out_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void MetricsText::line(std::string_view suffix, const MetricLabels& labels,
                       std::string_view value) {
  *out_ += name_;
  *out_ += suffix;
  char separator = '{';
  for (const auto& [name, label] : labels) {
    out_->push_back(separator);
    separator = ',';
    *out_ += name;
    *out_ += "=\"";
    append_escaped(label, out_);
    out_->push_back('"');
  }
  if (!labels.empty()) out_->push_back('}');
  out_->push_back(' ');
  *out_ += value;
  out_->push_back('\n');
}

void MetricsText::sample(const MetricLabels& labels, uint64_t value) {
  line("", labels, fmt::format("{}", value));
}

void MetricsText::sample_double(const MetricLabels& labels, double value) {
  line("", labels, fmt::format("{}", value));
}

void MetricsText::histogram(const MetricLabels& labels, const Histogram& histogram) {
  uint64_t count = 0;
  MetricLabels with_bound = labels;
  with_bound.emplace_back("le", "");
  for (size_t i = 0; i < histogram.buckets_.size(); ++i) {
    count += histogram.buckets_[i].value();
    const std::string bound = i < Histogram::kBounds.size()
                                  ? fmt::format("{}", seconds_of(Histogram::kBounds[i]))
                                  : "+Inf";
    with_bound.back().second = bound;
    line("_bucket", with_bound, fmt::format("{}", count));
  }
  line("_sum", labels, fmt::format("{}", static_cast<double>(histogram.sum_ns_.value()) / 1e9));
  line("_count", labels, fmt::format("{}", count));
}

void MetricsText::counter(std::string_view name, std::string_view help, uint64_t value) {
  family(name, "counter", help);
  sample({}, value);
}

void MetricsText::gauge(std::string_view name, std::string_view help, uint64_t value) {
  family(name, "gauge", help);
  sample({}, value);
}

void MetricsText::gauge_seconds(std::string_view name, std::string_view help, DurationNs value) {
  family(name, "gauge", help);
  sample_double({}, seconds_of(value));
}

void RouteMetrics::count(int status, DurationNs duration) {
  const auto known = std::find(kStatuses.begin(), kStatuses.end() - 1, status);
  by_status_[static_cast<size_t>(known - kStatuses.begin())].add();
  seconds_.observe(duration);
}

RouteMetrics* ServerMetrics::route(std::string_view method, std::string_view pattern) {
  MutexLock lock(&mutex_);
  for (RouteMetrics& known : routes_) {
    if (known.method_ == method && known.pattern_ == pattern) return &known;
  }
  return &routes_.emplace_back(method, pattern);
}

void ServerMetrics::count_refusal(std::string_view code) {
  MutexLock lock(&mutex_);
  const auto found = refusals_.find(code);
  if (found != refusals_.end()) {
    ++found->second;
  } else {
    refusals_.emplace(code, 1);
  }
}

void ServerMetrics::render_routes(MetricsText* text) const {
  text->family("firn_http_requests_total", "counter", "Answered requests");
  for (const RouteMetrics& route : routes_) {
    const std::string name = route.method_ + " " + route.pattern_;
    for (size_t i = 0; i < RouteMetrics::kStatuses.size(); ++i) {
      if (route.by_status_[i].value() == 0) continue;
      const std::string code = fmt::format("{}", RouteMetrics::kStatuses[i]);
      text->sample({{"route", name}, {"code", code}}, route.by_status_[i].value());
    }
  }
  text->family("firn_http_request_seconds", "histogram",
               "From the last byte of the request to its answer");
  for (const RouteMetrics& route : routes_) {
    const std::string name = route.method_ + " " + route.pattern_;
    text->histogram({{"route", name}}, route.seconds_);
  }
}

void ServerMetrics::render(MetricsText* text) const {
  MutexLock lock(&mutex_);
  render_routes(text);
  const uint64_t closed = connections_closed.value();
  text->gauge("firn_http_connections", "Open connections", connections_opened.value() - closed);
  text->counter("firn_http_connections_refused_total", "Connections beyond the limit",
                connections_refused.value());
  text->counter("firn_requests_refused_total", "Bodies beyond the request memory",
                bodies_refused.value());
  text->family("firn_queries_refused_total", "counter", "Refused queries by reason");
  text->sample({{"reason", "memory"}}, queries_without_memory.value());
  text->sample({{"reason", "queue"}}, queries_not_queued.value());
  text->counter("firn_http_received_bytes_total", "Bytes read from clients",
                received_bytes.value());
  text->counter("firn_http_sent_bytes_total", "Bytes written to clients", sent_bytes.value());
  const uint64_t tails_done = tails_closed.value();
  text->gauge("firn_tails", "Tails being served", tails_opened.value() - tails_done);
  text->counter("firn_appended_events_total", "Acknowledged events, duplicates not counted",
                appended_events.value());
  text->counter("firn_appended_bytes_total", "Bytes of acknowledged batches",
                appended_bytes.value());
  text->counter("firn_appended_duplicates_total", "Acknowledged events that were stored before",
                appended_duplicates.value());
  text->family("firn_appends_refused_total", "counter", "Refused appends by error code");
  for (const auto& [code, count] : refusals_) text->sample({{"reason", code}}, count);
}

}  // namespace firn
