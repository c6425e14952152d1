namespace Veredus.Spool.Tests;

public sealed class SpoolLockTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_spool_in_use_is_refused_with_the_name_of_its_owner()
    {
        await using var spool = await SpoolStore.OpenAsync(Options("mx1"), TimeProvider.System);
        var error = await Assert.ThrowsAsync<SpoolOpenException>(() => SpoolStore.OpenAsync(Options("mx1"), TimeProvider.System).AsTask());
        Assert.Contains($"in use by mx1 instance 3 (process {Environment.ProcessId}", error.Message, StringComparison.Ordinal);
        error = await Assert.ThrowsAsync<SpoolOpenException>(() => SpoolStore.OpenAsync(Options("mx1") with { TakeOver = true }, TimeProvider.System).AsTask());
        Assert.Contains("in use by", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_spool_of_another_node_needs_a_take_over()
    {
        await using (await SpoolStore.OpenAsync(Options("mx1"), TimeProvider.System))
        {
        }
        var error = await Assert.ThrowsAsync<SpoolOpenException>(() => SpoolStore.OpenAsync(Options("mx2"), TimeProvider.System).AsTask());
        Assert.Contains("belongs to mx1", error.Message, StringComparison.Ordinal);
        Assert.Contains("--take-over", error.Message, StringComparison.Ordinal);
        await using (await SpoolStore.OpenAsync(Options("mx2") with { TakeOver = true }, TimeProvider.System))
        {
        }
        await using (await SpoolStore.OpenAsync(Options("mx2"), TimeProvider.System))
        {
        }
    }

    [Fact]
    public void The_same_node_on_another_machine_waits_until_the_first_is_silent()
    {
        var time = new ManualTime(DateTimeOffset.FromUnixTimeSeconds(1790000000));
        var disk = new SimulatedDisk(new Random(1));
        var elsewhere = new SpoolOwner("mx1", 0, 12, "another-machine", "boot", time.GetUtcNow(), time.GetUtcNow());
        using (var first = disk.TryLock("/spool/spool.lock")!)
            first.WriteText(elsewhere.Format());
        Assert.Contains("on another machine", Assert.Throws<SpoolOpenException>(() => SpoolLock.Take(disk, "/spool", "mx1", 0, takeOver: false, time)).Message, StringComparison.Ordinal);
        time.Advance(TimeSpan.FromSeconds(31));
        SpoolLock.Take(disk, "/spool", "mx1", 0, takeOver: false, time).Dispose();
    }

    [Fact]
    public void The_record_of_an_owner_survives_its_text()
    {
        var owner = new SpoolOwner("mx1.example.org", 3, 4711, "m", "b", DateTimeOffset.FromUnixTimeSeconds(1790000000), DateTimeOffset.FromUnixTimeSeconds(1790000005), "mx2");
        Assert.True(SpoolOwner.TryParse(owner.Format(), out var read));
        Assert.Equal(owner, read);
        Assert.False(SpoolOwner.TryParse("", out _));
        Assert.False(SpoolOwner.TryParse("something else\nnode x\n", out _));
    }

    private SpoolOptions Options(string node) => new() { Base = _directory.Path, NodeName = node, Instance = 3, SegmentBytes = 1 << 20 };
}
