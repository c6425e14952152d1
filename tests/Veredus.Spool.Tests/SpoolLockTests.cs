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
    public async Task An_owner_that_lost_its_spool_finds_out_before_it_accepts_or_writes_anything()
    {
        await using var spool = await SpoolStore.OpenAsync(Options("mx1"), TimeProvider.System);
        spool.Guard(TimeSpan.FromSeconds(15));
        spool.RenewLock();
        Assert.True(spool.IsHeld);
        LoseLock();
        await using (var other = await SpoolStore.OpenAsync(Options("mx2") with { TakeOver = true }, TimeProvider.System))
        {
            var taken = Assert.Throws<SpoolTakenException>(spool.RenewLock);
            Assert.Contains("taken over by mx2", taken.Message, StringComparison.Ordinal);
            using var body = spool.CreateBody();
            var refused = await spool.CommitAsync(body, [Mail()]);
            Assert.Equal(CommitStatus.Failed, refused.Status);
            Assert.False(spool.IsHeld);
            Assert.True(spool.Faulted.IsCancellationRequested);
            // What the loser says afterwards does not harm the one that has it.
            other.RenewLock();
            Assert.Equal("mx2", SpoolStore.OwnerOf(_directory.Path)!.Node);
        }
    }

    [Fact]
    public async Task A_spool_that_nobody_proved_to_be_ours_for_a_while_promises_nothing_until_somebody_does()
    {
        var time = new ManualTime(DateTimeOffset.FromUnixTimeSeconds(1790000000));
        await using var spool = await SpoolStore.OpenAsync(Options("mx1"), time);
        spool.Guard(TimeSpan.FromSeconds(15));
        spool.RenewLock();
        time.Advance(TimeSpan.FromSeconds(16));
        Assert.False(spool.IsHeld);
        using (var body = spool.CreateBody())
            Assert.Equal(CommitStatus.Failed, (await spool.CommitAsync(body, [Mail()])).Status);
        spool.RenewLock();
        Assert.True(spool.IsHeld);
        using (var body = spool.CreateBody())
            Assert.Equal(CommitStatus.Durable, (await spool.CommitAsync(body, [Mail()])).Status);
    }

    /// <summary>As storage does that forgets a lock: the record stays, the lock is free.</summary>
    private void LoseLock()
    {
        var (path, copy) = (Path.Combine(_directory.Path, "spool.lock"), Path.Combine(_directory.Path, "spool.lock.copy"));
        File.Copy(path, copy);
        File.Move(copy, path, overwrite: true);
    }

    private static Envelope Mail() => new()
    {
        Id = new(1, 2, 3), BatchId = new(1, 2, 3), Received = DateTimeOffset.UnixEpoch, Protocol = "ESMTP", Sender = "", Recipient = "a@b.example", BindingGroup = "default", Binding = "default",
    };

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
