// Memory on the CPU that is used again. i2i/nn/memory.py says why.
//
// The allocator stands before torch's own. On threads that asked for it, blocks of a megabyte and more come from those
// that were freed before; everything else, and every other thread, is served as without it.
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <torch/library.h>

#include <map>
#include <mutex>
#include <unordered_map>

#ifdef __GLIBC__
#include <malloc.h>
#endif
#ifdef __linux__
#include <pthread.h>
#include <sys/mman.h>
#endif

namespace {

constexpr size_t kSmallest = size_t(1) << 20;
constexpr size_t kHugePage = size_t(1) << 21;

thread_local bool wanted = false;

class Pool final : public c10::Allocator {
 public:
  explicit Pool(c10::Allocator* before) : before_(before) {}

  c10::DataPtr allocate(size_t bytes) override {
    if (!wanted || bytes < kSmallest) return before_->allocate(bytes);
    void* block = take(bytes);
    c10::profiledCPUMemoryReporter().New(block, bytes);
    return {block, block, &give_back, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }

  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }

  size_t kept() {
    std::lock_guard<std::mutex> lock(mutex_);
    return kept_;
  }

  // At most so many bytes are kept from now on.
  void limit(size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    limit_ = bytes;
    shrink();
  }

  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  static void give_back(void* block);

  void* take(size_t bytes) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      // A block that is at most a quarter larger: others will be wanted for what they fit.
      const auto found = free_.lower_bound(bytes);
      if (found != free_.end() && found->first <= bytes + bytes / 4) {
        void* block = found->second;
        kept_ -= found->first;
        free_.erase(found);
        return block;
      }
    }
    void* block = c10::alloc_cpu(bytes);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const size_t begin = (reinterpret_cast<size_t>(block) + kHugePage - 1) / kHugePage * kHugePage;
    const size_t end = (reinterpret_cast<size_t>(block) + bytes) / kHugePage * kHugePage;
    if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);  // only a hint
#endif
    std::lock_guard<std::mutex> lock(mutex_);
    sizes_[block] = bytes;
    return block;
  }

  void shrink() {
    while (kept_ > limit_) {
      const auto largest = std::prev(free_.end());
      kept_ -= largest->first;
      sizes_.erase(largest->second);
      c10::free_cpu(largest->second);
      free_.erase(largest);
    }
  }

  c10::Allocator* before_;
  std::mutex mutex_;
  std::unordered_map<void*, size_t> sizes_;  // of all blocks that this pool ever gave and has not freed
  std::multimap<size_t, void*> free_;
  size_t kept_ = 0;
  size_t limit_ = 0;
};

Pool& pool() {
  static Pool* const installed = [] {
    auto* made = new Pool(c10::GetCPUAllocator());  // lives as long as the process: tensors may outlive everything
    c10::SetCPUAllocator(made);
    return made;
  }();
  return *installed;
}

void Pool::give_back(void* block) {
  Pool& self = pool();
  {
    std::lock_guard<std::mutex> lock(self.mutex_);
    const auto found = self.sizes_.find(block);
    if (found != self.sizes_.end()) {
      c10::profiledCPUMemoryReporter().Delete(block);
      self.free_.emplace(found->second, block);
      self.kept_ += found->second;
      self.shrink();
      return;
    }
  }
  self.before_->raw_deallocate(block);  // came from there by way of raw_allocate
}

bool keep_memory(bool on) {
  pool();
  const bool was = wanted;
  wanted = on;
  return was;
}

void limit_memory(int64_t bytes) { pool().limit(bytes); }

int64_t kept_memory() { return pool().kept(); }

// Of blocks that are not ours, what the C library holds free between others in use.
void trim_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

#ifdef __linux__
// A loader's worker is forked while other threads may be allocating.
const int at_fork = pthread_atfork([] { pool().lock(); }, [] { pool().unlock(); }, [] { pool().unlock(); });
#endif

}  // namespace

TORCH_LIBRARY_FRAGMENT(i2i, m) {
  m.def("keep_memory(bool on) -> bool", &keep_memory);
  m.def("limit_memory(int bytes) -> ()", &limit_memory);
  m.def("kept_memory() -> int", &kept_memory);
  m.def("trim_memory() -> ()", &trim_memory);
}
