#include "server/router.h"

#include <algorithm>
#include <optional>

namespace firn {

namespace {

// The segments between slashes, decoded one by one, so that "%2F" inside a segment divides nothing.
std::optional<std::vector<std::string>> split_path(std::string_view path) {
  std::vector<std::string> segments;
  if (path.empty() || path[0] != '/') return std::nullopt;
  path.remove_prefix(1);
  while (true) {
    const size_t end = std::min(path.find('/'), path.size());
    std::optional<std::string> segment = percent_decode(path.substr(0, end), false);
    if (!segment.has_value()) return std::nullopt;
    segments.push_back(std::move(*segment));
    if (end == path.size()) return segments;
    path.remove_prefix(end + 1);
  }
}

}  // namespace

Router::Router(const std::vector<Face>& faces, ServerMetrics* metrics, ErrorEncoder fallback)
    : no_route_(metrics->route("other", "none")), fallback_(fallback) {
  for (const Face& face : faces) {
    for (const Route& route : face) {
      auto segments = split_path(route.pattern);
      FIRN_CHECK(segments.has_value());
      for (std::string& segment : *segments) {
        if (segment.starts_with('{')) segment.clear();
      }
      routes_.push_back({route, std::move(*segments),
                         metrics->route(http_method_name(route.method), route.pattern)});
      if (route.streams_body) streaming_.push_back(route);
    }
  }
}

bool Router::matches(const Compiled& compiled, const std::vector<std::string>& segments) {
  if (compiled.segments.size() != segments.size()) return false;
  for (size_t i = 0; i < segments.size(); ++i) {
    const std::string& wanted = compiled.segments[i];
    if (wanted.empty() ? segments[i].empty() : wanted != segments[i]) return false;
  }
  return true;
}

RouteMetrics* Router::handle(const HttpRequestPtr& request, const Responder& respond) const {
  const auto segments = split_path(request->path);
  if (!segments.has_value()) {
    respond(json_error(400, "invalid_argument", "the path '" + request->path + "' is malformed"));
    return no_route_;
  }
  std::string allowed;
  const Compiled* other_method = nullptr;
  for (const Compiled& compiled : routes_) {
    if (!matches(compiled, *segments)) continue;
    if (compiled.route.method == request->method) {
      for (size_t s = 0; s < segments->size(); ++s) {
        if (compiled.segments[s].empty()) request->path_arguments.push_back((*segments)[s]);
      }
      compiled.route.handler(request, respond);
      return compiled.metrics;
    }
    other_method = &compiled;
    if (!allowed.empty()) allowed += ", ";
    allowed += http_method_name(compiled.route.method);
    if (compiled.route.method == HttpMethod::kGet) allowed += ", HEAD";
  }
  if (other_method == nullptr) {
    respond(error(*request, 404, "not_found", "there is no route " + request->path));
    return no_route_;
  }
  HttpResponse response = error(*request, 405, "method_not_allowed",
                                other_method->route.pattern + " answers to " + allowed + " only");
  response.headers.emplace_back("Allow", allowed);
  respond(std::move(response));
  return no_route_;
}

bool Router::streams_body(const HttpRequest& request) const {
  return std::any_of(streaming_.begin(), streaming_.end(), [&](const Route& route) {
    return route.method == request.method && route.pattern == request.path;
  });
}

HttpResponse Router::error(const HttpRequest& request, int http_status, std::string_view code,
                           std::string_view message) const {
  const auto segments = split_path(request.path);
  for (const Compiled& compiled : routes_) {
    if (!segments.has_value() || compiled.route.error == nullptr) continue;
    if (matches(compiled, *segments)) {
      return compiled.route.error(request, http_status, code, message);
    }
  }
  if (fallback_ != nullptr) return fallback_(request, http_status, code, message);
  return json_error(http_status, code, message);
}

}  // namespace firn
