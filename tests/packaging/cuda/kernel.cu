__global__ void double_it(float* value) { *value *= 2; }

bool kernel_doubles() {
  float* device = nullptr;
  float host = 3;
  if (cudaMalloc(&device, sizeof host) != cudaSuccess) return false;
  cudaMemcpy(device, &host, sizeof host, cudaMemcpyHostToDevice);
  double_it<<<1, 1>>>(device);
  cudaMemcpy(&host, device, sizeof host, cudaMemcpyDeviceToHost);
  cudaFree(device);
  return host == 6;
}
