#pragma warning disable CA2012, xUnit1031 // The test is the writer's thread: it starts a call, does the writer's step, and looks at the result.
using System.Buffers;
using Xunit.Abstractions;

namespace Veredus.Spool.Tests;

/// <summary>Random work on a disk that crashes, fails and fills up at any step; after each restart the promises are looked at.</summary>
public sealed class CrashTests(ITestOutputHelper output)
{
    private const int Runs = 25, LivesPerRun = 5;

    [Fact]
    public void No_crash_loses_what_was_promised_or_brings_back_what_was_removed() =>
        Run(world => world.Disk.CrashAt = world.Disk.Operations + world.Random.Next(1, 120), powerCut: true);

    [Fact]
    public void A_killed_process_leaves_all_that_was_written() =>
        Run(world => world.Disk.CrashAt = world.Disk.Operations + world.Random.Next(1, 120), powerCut: false);

    [Fact]
    public void An_error_at_any_step_ends_the_promises_but_breaks_none() =>
        Run(
            world =>
            {
                var at = world.Disk.Operations + world.Random.Next(1, 120);
                world.Disk.Fail = what => world.Disk.Operations >= at && world.Random.Next(3) == 0 ? new(DiskError.Failed, $"simulated EIO: {what}") : null;
            },
            powerCut: true);

    [Fact]
    public void A_full_disk_refuses_mail_and_keeps_what_it_has() =>
        Run(
            world =>
            {
                var from = world.Disk.Operations + world.Random.Next(1, 60);
                var until = from + world.Random.Next(1, 60);
                world.Disk.Fail = what => world.Disk.Operations >= from && world.Disk.Operations < until && !what.StartsWith("sync", StringComparison.Ordinal)
                    ? new(DiskError.NoSpace, $"simulated ENOSPC: {what}") : null;
            },
            powerCut: true);

    [Fact]
    public void A_flush_is_not_answered_before_the_removals_that_came_before_it_are_written()
    {
        var answered = 0;
        for (var (crashAt, crashed) = (1, true); crashed; crashAt++)
        {
            var disk = new SimulatedDisk(new Random(crashAt));
            var options = new SpoolOptions { Base = "/spool", NodeName = "mx1", SegmentBytes = 64 << 10, LargeMessageThreshold = 40 << 10 };
            var spool = SpoolStore.Open(options, disk, TimeProvider.System, ownThreads: false);
            Assert.Empty(SpoolStoreTests.RecoverAsync(spool).GetAwaiter().GetResult());
            var ids = new MessageIdGenerator(7, TimeProvider.System, spool.LastSlot);
            var commit = CommitOne();
            spool.Writer.Step();
            var message = commit.GetAwaiter().GetResult().Messages[0];

            // All in one step: the commits behind the flush fill the segment, which is synced and followed by another.
            Assert.True(spool.RemoveAsync(message).IsCompleted);
            var flush = spool.Writer.FlushAsync();
            _ = (CommitOne(), CommitOne(), CommitOne());
            disk.CrashAt = disk.Operations + crashAt;
            crashed = false;
            try
            {
                spool.Writer.Step();
            }
            catch (SimulatedDisk.CrashException)
            {
                crashed = true;
            }
            disk.Kill();
            if (!flush.IsCompleted)
                continue;
            answered++;
            Assert.Equal(CommitStatus.Durable, flush.GetAwaiter().GetResult().Status);
            var found = SpoolStoreTests.RecoverAsync(SpoolStore.Open(options, disk, TimeProvider.System, ownThreads: false)).GetAwaiter().GetResult();
            Assert.DoesNotContain(found, one => one.Message.Id == message.Id);

            ValueTask<CommitResult> CommitOne()
            {
                var body = spool.CreateBody();
                body.Write(new byte[30_000]);
                return spool.CommitAsync(body, [Envelopes.Simple(ids.Next())]);
            }
        }
        Assert.True(answered > 0);
    }

    private void Run(Action<World> arm, bool powerCut)
    {
        var seed = Seed.Next();
        output.WriteLine($"VEREDUS_SEED={seed}");
        for (var run = 0; run < Runs; run++)
        {
            var world = new World(new Random(seed + run));
            try
            {
                for (var life = 0; life < LivesPerRun; life++)
                {
                    world.Live(arm);
                    if (powerCut)
                        world.Disk.Crash();
                    else
                        world.Disk.Kill();
                }
                world.Live(_ => { });
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"VEREDUS_SEED={seed + run}: {e.Message}", e);
            }
        }
    }

    private enum Fate
    {
        /// <summary>Committed but never answered, or refused: may be there or not.</summary>
        Open,
        Promised,

        /// <summary>Removed, maybe not synced: may be there or not.</summary>
        Removing,
        Removed,
    }

    private sealed class World(Random random)
    {
        private readonly Dictionary<MessageId, Fate> _fates = [];
        private readonly Dictionary<MessageId, HashSet<string>> _bindings = [];
        private readonly Dictionary<MessageId, byte[]> _bodies = [];
        private readonly ManualTime _time = new(DateTimeOffset.FromUnixTimeSeconds(1790000000));
        private uint _lastSlot;

        public Random Random => random;

        public SimulatedDisk Disk { get; } = new(random);

        public void Live(Action<World> arm)
        {
            try
            {
                _time.Advance(TimeSpan.FromSeconds(20));
                var spool = SpoolStore.Open(Options(), Disk, _time, ownThreads: false);
                Assert.True(spool.LastSlot >= _lastSlot, $"slot {spool.LastSlot} after {_lastSlot}");
                var messages = Check(spool);
                arm(this);
                var ids = new MessageIdGenerator(7, _time, spool.LastSlot);
                for (var step = random.Next(60); step > 0; step--)
                    Act(spool, ids, messages);
                if (random.Next(3) == 0 && spool.Fault is null)
                    Close(spool);
            }
            catch (SimulatedDisk.CrashException)
            {
            }
            catch (SpoolOpenException) when (Disk.Fail is not null)
            {
            }
            catch (DiskException) when (Disk.Fail is not null)
            {
            }
        }

        private static SpoolOptions Options() => new()
        {
            Base = "/spool",
            NodeName = "mx1",
            SegmentBytes = 64 << 10,
            LargeMessageThreshold = 4 << 10,
            CompactionBytesPerSecond = int.MaxValue,
            CompactAfter = TimeSpan.FromSeconds(1),
            RemovalBacklog = 1000,
            Notice = notice => throw new InvalidOperationException($"A healthy disk has no damage: {notice}"),
        };

        private List<StoredMessage> Check(SpoolStore spool)
        {
            var found = new Dictionary<MessageId, StoredMessage>();
            foreach (var (message, envelope) in SpoolStoreTests.RecoverAsync(spool).GetAwaiter().GetResult())
            {
                Assert.True(found.TryAdd(message.Id, message), $"{message.Id} comes twice");
                Assert.True(_fates.TryGetValue(message.Id, out var fate), $"{message.Id} was never committed");
                Assert.True(fate is not Fate.Removed, $"{message.Id} was removed and synced, but is back");
                Assert.Equal(message.Id, envelope.Id);
                Assert.Contains(envelope.Binding, _bindings[message.Id]);
                Assert.Equal(_bodies[message.Id], SpoolStoreTests.ReadBody(spool, message));
            }
            foreach (var (id, fate) in _fates)
                Assert.True(fate is not Fate.Promised || found.ContainsKey(id), $"{id} was promised, but is gone");
            Assert.Equal(0, spool.Statistics.Corruptions);
            // From now on what is there is durable, and what is not stays away.
            foreach (var id in _fates.Keys.ToArray())
                _fates[id] = found.ContainsKey(id) ? Fate.Promised : Fate.Removed;
            return [.. found.Values];
        }

        private void Act(SpoolStore spool, MessageIdGenerator ids, List<StoredMessage> messages)
        {
            switch (random.Next(12))
            {
                case < 4:
                    Commit(spool, ids, messages);
                    break;
                case < 8 when messages.Count > 0:
                    var gone = messages[random.Next(messages.Count)];
                    messages.Remove(gone);
                    _fates[gone.Id] = Fate.Removing;
                    Assert.True(spool.RemoveAsync(gone).IsCompleted);
                    break;
                case 8 when messages.Count > 0:
                    Update(spool, messages[random.Next(messages.Count)]);
                    break;
                case 9 when messages.Count > 0:
                    var tried = messages[random.Next(messages.Count)];
                    spool.RecordAttempt(tried, new((ushort)(tried.Attempts + 1), _time.GetUtcNow(), 451, 3));
                    break;
                case 10:
                    Flush(spool);
                    break;
                default:
                    _time.Advance(TimeSpan.FromSeconds(2));
                    for (var i = random.Next(5); i > 0; i--)
                        Maintain(spool);
                    break;
            }
            if (random.Next(3) == 0)
                spool.Writer.Step();
        }

        private void Commit(SpoolStore spool, MessageIdGenerator ids, List<StoredMessage> messages)
        {
            // Sometimes others commit in the same step as a flush: what they make the writer do must not answer it too early.
            var removing = Removing();
            ValueTask<CommitResult>? flush = random.Next(3) == 0 ? spool.Writer.FlushAsync() : null;
            var waiting = new List<(ValueTask<CommitResult> Task, MessageId[] Ids, SpoolBody Body)>();
            for (var commits = random.Next(1, 5); commits > 0; commits--)
            {
                var octets = new byte[random.Next(8) == 0 ? random.Next(4000, 12_000) : random.Next(3000)];
                random.NextBytes(octets);
                var body = spool.CreateBody();
                body.Write(octets);
                body.FlushAsync().GetAwaiter().GetResult();
                var batch = Enumerable.Range(0, random.Next(1, 4)).Select(_ => ids.Next()).ToArray();
                foreach (var id in batch)
                    (_fates[id], _bindings[id], _bodies[id]) = (Fate.Open, ["default"], octets);
                if (body.File is not null)
                {
                    body.FinishFile(sync: true);
                    waiting.Add((spool.CommitFinished(body, [.. batch.Select(id => Envelopes.Simple(id))]), batch, body));
                }
                else
                {
                    waiting.Add((spool.CommitAsync(body, [.. batch.Select(id => Envelopes.Simple(id))]), batch, body));
                }
            }
            try
            {
                spool.Writer.Step();
            }
            finally
            {
                // Also when the power failed in the middle of the step: what was answered before holds.
                if (flush is { IsCompleted: true } answered && answered.Result.Status is CommitStatus.Durable)
                    NoteRemoved(removing);
            }
            foreach (var (task, batch, body) in waiting)
            {
                Assert.True(task.IsCompleted);
                var result = task.GetAwaiter().GetResult();
                if (result.Status is CommitStatus.Durable)
                {
                    foreach (var message in result.Messages)
                        _fates[message.Id] = Fate.Promised;
                    messages.AddRange(result.Messages);
                    _lastSlot = Math.Max(_lastSlot, batch.Max(id => id.Slot));
                }
                else
                {
                    Assert.True(Disk.Fail is not null, result.Reason);
                }
                body.Dispose();
            }
        }

        private void Update(SpoolStore spool, StoredMessage message)
        {
            var binding = $"b{random.Next(1000)}";
            _bindings[message.Id].Add(binding);
            var envelope = spool.ReadEnvelope(message) with { Binding = binding };
            var task = spool.UpdateAsync(message, envelope);
            spool.Writer.Step();
            if (!task.AsTask().GetAwaiter().GetResult())
                return;
            _bindings[message.Id].Clear();
            _bindings[message.Id].Add(binding);
        }

        private void Flush(SpoolStore spool)
        {
            var removing = Removing();
            var task = spool.FlushAsync();
            spool.Writer.Step();
            if (task.AsTask().GetAwaiter().GetResult())
                NoteRemoved(removing);
        }

        private MessageId[] Removing() => [.. _fates.Where(fate => fate.Value is Fate.Removing).Select(fate => fate.Key)];

        private void NoteRemoved(MessageId[] removed)
        {
            foreach (var id in removed)
                _fates[id] = Fate.Removed;
        }

        private static void Maintain(SpoolStore spool)
        {
            var step = spool.Compactor.StepAsync();
            while (!step.IsCompleted)
                spool.Writer.Step();
            step.GetAwaiter().GetResult();
        }

        private void Close(SpoolStore spool)
        {
            var closing = spool.DisposeAsync().AsTask();
            while (!closing.IsCompleted)
                spool.Writer.Step();
            closing.GetAwaiter().GetResult();
            foreach (var id in Removing())
                _fates[id] = Disk.Fail is null ? Fate.Removed : Fate.Removing;
        }
    }
}
