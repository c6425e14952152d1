// Micro-benchmarks with allocations.
//   dotnet run -c Release --project bench/Veredus.Bench.Micro -- --filter '*Smtp*' --job short
using BenchmarkDotNet.Running;

BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
