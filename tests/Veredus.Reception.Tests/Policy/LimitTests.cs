using Veredus.Configuration;
using Veredus.Reception.Policy;

namespace Veredus.Reception.Tests.Policy;

public sealed class LimitTests
{
    [Fact]
    public void A_rate_lets_so_many_pass_in_any_window_and_tells_the_next_how_long_to_wait()
    {
        var time = new Clock();
        var gate = new RateGate(new Rate(2, 10), time);

        Assert.Equal(TimeSpan.Zero, gate.Reserve(TimeSpan.FromSeconds(30)));
        time.Now += TimeSpan.FromSeconds(4);
        Assert.Equal(TimeSpan.Zero, gate.Reserve(TimeSpan.FromSeconds(30)));
        Assert.Equal(TimeSpan.FromSeconds(6), gate.Reserve(TimeSpan.FromSeconds(30)));
        Assert.Equal(TimeSpan.FromSeconds(10), gate.Reserve(TimeSpan.FromSeconds(30)));
        Assert.Null(gate.Reserve(TimeSpan.FromSeconds(5)));
        time.Now += TimeSpan.FromSeconds(100);
        Assert.Equal(TimeSpan.Zero, gate.Reserve(TimeSpan.Zero));
    }

    [Fact]
    public void Sessions_are_counted_by_socket_and_in_all()
    {
        var counter = new SessionCounter();

        Assert.True(counter.TryEnter("*:25", 1, 2));
        Assert.False(counter.TryEnter("*:25", 1, 2));
        Assert.True(counter.TryEnter("*:587", 0, 2));
        Assert.False(counter.TryEnter("*:587", 0, 2));
        counter.Leave("*:25");
        Assert.True(counter.TryEnter("*:25", 1, 2));
        Assert.Equal((2, 1), (counter.Total, counter.On("*:587")));
    }

    [Fact]
    public void Memory_is_that_of_the_control_group_without_what_the_kernel_gives_back()
    {
        var root = Directory.CreateTempSubdirectory("veredus-").FullName;
        try
        {
            Write("proc/self/cgroup", "0::/system.slice/veredus.service\n");
            Write("sys/fs/cgroup/system.slice/veredus.service/memory.max", "1000000\n");
            Write("sys/fs/cgroup/system.slice/veredus.service/memory.current", "960000\n");
            Write("sys/fs/cgroup/system.slice/veredus.service/memory.stat", "anon 100\ninactive_file 60000\n");
            Write("proc/meminfo", "MemTotal:       24576 kB\n");
            Write("proc/self/status", "Name:\tveredus\nVmRSS:\t    1024 kB\n");
            Assert.Equal(new MemoryUse(1_000_000, 900_000), MemoryGuard.Read(root));

            Write("sys/fs/cgroup/system.slice/veredus.service/memory.max", "max\n");
            Assert.Equal(new MemoryUse(24576 * 1024, 1024 * 1024), MemoryGuard.Read(root));
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }

        void Write(string file, string text)
        {
            var path = Path.Combine(root, file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
        }
    }

    [Fact]
    public void Memory_is_looked_at_once_a_second()
    {
        var (time, looks) = (new Clock(), 0);
        var guard = new MemoryGuard(() => new(100, ++looks == 1 ? 50 : 96), time);

        Assert.False(guard.IsAbove(95));
        Assert.False(guard.IsAbove(95));
        time.Now += TimeSpan.FromSeconds(1);
        Assert.True(guard.IsAbove(95));
        Assert.Equal(2, looks);
    }

    [Fact]
    public void This_machine_has_memory()
    {
        var use = MemoryGuard.Read();

        Assert.InRange(use.Used, 1, use.Limit);
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; } = TimeSpan.FromSeconds(1);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
