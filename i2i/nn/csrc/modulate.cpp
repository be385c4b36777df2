// Modulation of features by rows of a table, for the CPU. i2i/nn/modulate.py says in plain torch what is computed.
//
// All tensors are contiguous with the channels last: x (N, h, w, C), out and its gradient (N, H, W, C), table (P, 2C)
// with the factors before the shifts, index (N, H, W). H x W is h x w or twice that: then every pixel of x serves four.
// Sums run in an order that depends on the shapes alone, so results are the same bits for any number of threads.
//
// The headers are chosen one by one because this file is compiled on the user's machine, and Python's are not needed.
#include <ATen/Dispatch.h>
#include <ATen/OpMathType.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <algorithm>
#include <array>

namespace {

using at::Tensor;

// So many values are worth a thread, or, in sums over pixels, a partial sum of their own.
constexpr int64_t kValuesOfAChunk = 32768;

struct Sizes {
  int64_t h, w, channels, H, W, images, table_rows;
  int doubled;  // 1 where a pixel of x serves 2 x 2 pixels, else 0

  Sizes(const Tensor& x, const Tensor& index, const Tensor& table)
      : h(x.size(1)), w(x.size(2)), channels(x.size(3)), H(index.size(1)), W(index.size(2)), images(x.size(0)),
        table_rows(table.size(0)), doubled(index.size(1) == x.size(1) ? 0 : 1) {
    TORCH_CHECK(index.size(0) == images && H == h << doubled && W == w << doubled && table.size(1) == 2 * channels);
    TORCH_CHECK(x.is_contiguous() && index.is_contiguous() && table.is_contiguous());
    TORCH_CHECK(index.scalar_type() == at::kInt, "the index of rows is not int32");
  }

  int64_t pixels() const { return images * H * W; }

  // The pixel of x that serves the pixel of the output.
  int64_t source(int64_t pixel) const {
    const int64_t row = pixel / W, column = pixel % W;
    return ((row / H) * h + ((row % H) >> doubled)) * w + (column >> doubled);
  }

  int64_t table_row(const int* index, int64_t pixel) const {
    const int64_t row = index[pixel];
    TORCH_CHECK_INDEX(row >= 0 && row < table_rows, "row ", row, " of a table of ", table_rows, " rows");
    return row;
  }

  int64_t image_rows_per_task(int64_t width) const {
    return std::max<int64_t>(1, kValuesOfAChunk / (width * channels));
  }
};

// The slope of leaky ReLU at the value before it; as a product the loops below become vector instructions.
template <typename A>
inline A slope_at(A value, A slope) {
  return value > A(0) ? A(1) : slope;
}

template <typename T, typename A>
inline void modulate_pixel(const T* __restrict x, const A* __restrict factor, const A* __restrict shift, A slope,
                           T* __restrict out, int64_t channels) {
  for (int64_t c = 0; c < channels; c++) {
    const A value = A(x[c]) * factor[c] + shift[c];
    out[c] = T(value * slope_at(value, slope));
  }
}

template <typename T, typename A>
void modulate_all(const Sizes& s, const T* x, const int* index, const A* table, A slope, T* out) {
  at::parallel_for(0, s.images * s.H, s.image_rows_per_task(s.W), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const T* source = x + s.source(row * s.W) * s.channels;
      for (int64_t j = 0; j < s.W; j++) {
        const int64_t pixel = row * s.W + j;
        const A* factor = table + s.table_row(index, pixel) * 2 * s.channels;
        modulate_pixel(source + (j >> s.doubled) * s.channels, factor, factor + s.channels, slope,
                       out + pixel * s.channels, s.channels);
      }
    }
  });
}

// The gradient of one pixel of x: the sum over the pixels that it serves.
template <int served, typename T, typename A>
inline void x_gradient_of_pixel(const T* __restrict x, const std::array<const A*, served>& factor,
                                const std::array<const T*, served>& grad, A slope, T* __restrict out,
                                int64_t channels) {
  for (int64_t c = 0; c < channels; c++) {
    A sum = 0;
    for (int i = 0; i < served; i++) {
      const A value = A(x[c]) * factor[i][c] + factor[i][channels + c];
      sum += A(grad[i][c]) * factor[i][c] * slope_at(value, slope);
    }
    out[c] = T(sum);
  }
}

template <int served, typename T, typename A>
void x_gradient(const Sizes& s, const T* grad, const T* x, const int* index, const A* table, A slope, T* out) {
  at::parallel_for(0, s.images * s.h, s.image_rows_per_task(s.w * served), [&](int64_t begin, int64_t end) {
    std::array<const A*, served> factors;
    std::array<const T*, served> grads;
    for (int64_t row = begin; row < end; row++) {
      for (int64_t j = 0; j < s.w; j++) {
        for (int i = 0; i < served; i++) {
          const int64_t pixel = ((row << s.doubled) + i / 2) * s.W + (j << s.doubled) + i % 2;
          factors[i] = table + s.table_row(index, pixel) * 2 * s.channels;
          grads[i] = grad + pixel * s.channels;
        }
        const int64_t at = (row * s.w + j) * s.channels;
        x_gradient_of_pixel<served, T, A>(x + at, factors, grads, slope, out + at, s.channels);
      }
    }
  });
}

template <typename T, typename A>
inline void add_table_gradient(const T* __restrict x, const T* __restrict grad, const A* __restrict row, A slope,
                               A* __restrict sum, int64_t channels) {
  for (int64_t c = 0; c < channels; c++) {
    const A value = A(x[c]) * row[c] + row[channels + c];
    const A before = A(grad[c]) * slope_at(value, slope);
    sum[c] += before * A(x[c]);
    sum[channels + c] += before;
  }
}

// Sums over the pixels of each row of the table. The sorted pixels are cut into chunks of equal length, so that threads
// get equal work however unequal the rows are. A row inside one chunk is summed in place; where a chunk's end cuts a
// row, the chunk keeps a partial sum: at 2k what chunk k holds of a row begun before it, at 2k+1 of one begun in it.
template <typename T, typename A>
void table_gradient(const Sizes& s, const T* grad, const T* x, const int* order, const int* offsets, const A* table,
                    A slope, A* out) {
  const int64_t pixels = s.pixels(), width = 2 * s.channels;
  const int64_t length = std::clamp<int64_t>(kValuesOfAChunk / width, 16, 1024);
  const int64_t chunks = (pixels + length - 1) / length;
  Tensor partial = at::zeros({2 * chunks, width}, c10::CppTypeToScalarType<A>::value);
  A* partials = partial.data_ptr<A>();

  at::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; chunk++) {
      const int64_t first = chunk * length, last = std::min(first + length, pixels);
      // the row of the chunk's first pixel: the last that begins at or before it
      int64_t row = std::upper_bound(offsets, offsets + s.table_rows + 1, first) - offsets - 1;
      for (int64_t k = first; k < last; row++) {
        const int64_t stop = std::min<int64_t>(offsets[row + 1], last);
        A* sum = offsets[row] < first ? partials + 2 * chunk * width
                 : offsets[row + 1] > last ? partials + (2 * chunk + 1) * width
                                           : out + row * width;
        for (; k < stop; k++) {
          const int64_t pixel = order[k];
          add_table_gradient(x + s.source(pixel) * s.channels, grad + pixel * s.channels, table + row * width, slope,
                             sum, s.channels);
        }
      }
    }
  });

  at::parallel_for(0, s.table_rows, kValuesOfAChunk / 64, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      if (offsets[row] == offsets[row + 1]) continue;
      const int64_t first = offsets[row] / length, last = (offsets[row + 1] - 1) / length;
      for (int64_t chunk = first; first < last && chunk <= last; chunk++) {
        const A* sum = partials + (chunk == first ? 2 * chunk + 1 : 2 * chunk) * width;
        for (int64_t c = 0; c < width; c++) out[row * width + c] += sum[c];
      }
    }
  });
}

#define DISPATCH(type, name, ...) AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, type, name, __VA_ARGS__)

Tensor modulate(const Tensor& x, const Tensor& index, const Tensor& table, double slope) {
  const Sizes s(x, index, table);
  Tensor out = at::empty({s.images, s.H, s.W, s.channels}, x.options());
  DISPATCH(x.scalar_type(), "modulate", [&] {
    using A = at::opmath_type<scalar_t>;
    modulate_all<scalar_t, A>(s, x.const_data_ptr<scalar_t>(), index.const_data_ptr<int>(), table.const_data_ptr<A>(),
                              A(slope), out.data_ptr<scalar_t>());
  });
  return out;
}

Tensor modulate_backward_x(const Tensor& grad, const Tensor& x, const Tensor& index, const Tensor& table,
                           double slope) {
  const Sizes s(x, index, table);
  TORCH_CHECK(grad.is_contiguous() && grad.numel() == s.pixels() * s.channels);
  Tensor out = at::empty(x.sizes(), x.options());
  DISPATCH(x.scalar_type(), "modulate_backward_x", [&] {
    using A = at::opmath_type<scalar_t>;
    (s.doubled ? x_gradient<4, scalar_t, A> : x_gradient<1, scalar_t, A>)(
        s, grad.const_data_ptr<scalar_t>(), x.const_data_ptr<scalar_t>(), index.const_data_ptr<int>(),
        table.const_data_ptr<A>(), A(slope), out.data_ptr<scalar_t>());
  });
  return out;
}

// order and offsets are those of i2i.patterns.PixelRows, trusted to belong to the index.
Tensor modulate_backward_table(const Tensor& grad, const Tensor& x, const Tensor& index, const Tensor& order,
                               const Tensor& offsets, const Tensor& table, double slope) {
  const Sizes s(x, index, table);
  TORCH_CHECK(grad.is_contiguous() && grad.numel() == s.pixels() * s.channels);
  TORCH_CHECK(order.is_contiguous() && order.numel() == s.pixels() && order.scalar_type() == at::kInt);
  TORCH_CHECK(offsets.is_contiguous() && offsets.numel() == s.table_rows + 1 && offsets.scalar_type() == at::kInt);
  Tensor out = at::zeros(table.sizes(), table.options());
  DISPATCH(x.scalar_type(), "modulate_backward_table", [&] {
    using A = at::opmath_type<scalar_t>;
    table_gradient<scalar_t, A>(s, grad.const_data_ptr<scalar_t>(), x.const_data_ptr<scalar_t>(),
                                order.const_data_ptr<int>(), offsets.const_data_ptr<int>(), table.const_data_ptr<A>(),
                                A(slope), out.data_ptr<A>());
  });
  return out;
}

}  // namespace

TORCH_LIBRARY(i2i, m) {
  m.def("modulate(Tensor x, Tensor index, Tensor table, float slope) -> Tensor");
  m.def("modulate_backward_x(Tensor grad, Tensor x, Tensor index, Tensor table, float slope) -> Tensor");
  m.def("modulate_backward_table(Tensor grad, Tensor x, Tensor index, Tensor order, Tensor offsets, Tensor table, "
        "float slope) -> Tensor");
}

TORCH_LIBRARY_IMPL(i2i, CPU, m) {
  m.impl("modulate", &modulate);
  m.impl("modulate_backward_x", &modulate_backward_x);
  m.impl("modulate_backward_table", &modulate_backward_table);
}
