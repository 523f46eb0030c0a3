#pragma once

#include <cstdint>
#include <memory>

#include "base/id_set.h"
#include "base/time.h"
#include "model/known_series.h"
#include "model/record_batch.h"

namespace firn {

// Which definitions a batch of samples brings along: of series that the store does not know for the
// chunk intervals of their samples; of all series when nothing is known of it. Inside wire only.
// One thread.
class WantedDefinitions {
 public:
  explicit WantedDefinitions(const SeriesKnowledge& knowledge)
      : knowledge_(knowledge), epoch_(knowledge.known == nullptr ? 0 : knowledge.known->epoch()) {}

  // Whether the definition has to come along with the sample; true once for a series in a batch.
  // `is_new`: the batch has no other sample of it. `known_stamp` is that of the series in the
  // cache, and set when another one should be there.
  bool wants(const Id& series, TimeNs time, bool is_new, uint64_t* known_stamp);
  // Ends the batch: its definitions, null when there are none.
  std::unique_ptr<RecordBatch> finish(BatchBuilder* definitions);
  // DecodedSamples::known_epoch
  uint64_t epoch() const { return epoch_; }

 private:
  const SeriesKnowledge knowledge_;
  const uint64_t epoch_;
  IdSet defined_;  // in this batch
  bool has_first_ = false;
  TimeNs first_ = 0;          // start of the interval of the first sample
  uint64_t first_stamp_ = 0;  // of that interval
  bool is_in_first_ = true;   // all samples are: series that are not new need nothing more
  SeriesDefinition checked_;  // the last one
};

}  // namespace firn
