using System.Buffers;
using System.Text;

namespace Veredus.Spool.Tests;

public sealed class SpoolStoreTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly MessageIdGenerator _ids = new(7, TimeProvider.System, 0);
    private readonly List<string> _notices = [];

    public void Dispose() => _directory.Dispose();

    private SpoolOptions Options => new()
    {
        Base = _directory.Path,
        NodeName = "mx1",
        SegmentBytes = 1 << 20,
        LargeMessageThreshold = 64 << 10,
        Notice = notice =>
        {
            lock (_notices)
                _notices.Add(notice);
        },
    };

    private ValueTask<SpoolStore> OpenAsync() => SpoolStore.OpenAsync(Options, TimeProvider.System);

    [Fact]
    public async Task A_message_comes_back_from_the_disk_as_it_was_given()
    {
        await using var spool = await OpenAsync();
        var envelope = Envelopes.Any(new Random(1)) with { Id = _ids.Next() };
        var message = await CommitAsync(spool, "Subject: hi\r\n\r\nHello\r\n", "Received: here\r\n", envelope);
        Assert.Equal(envelope.Id, message.Id);
        Assert.Equal(38, message.Size);
        Envelopes.AssertSame(envelope, spool.ReadEnvelope(message));
        Assert.Equal("Received: here\r\nSubject: hi\r\n\r\nHello\r\n", Encoding.ASCII.GetString(ReadBody(spool, message)));
        Assert.True(spool.TryFind(envelope.Id, out var found));
        Assert.Same(message, found);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16383)]
    [InlineData(65536)]
    [InlineData(65537)]
    [InlineData(3_000_000)]
    public async Task Bodies_of_every_size_survive_a_restart(int size)
    {
        var body = new byte[size];
        new Random(size).NextBytes(body);
        var id = _ids.Next();
        await using (var spool = await OpenAsync())
        {
            using var writer = spool.CreateBody();
            foreach (var piece in body.Chunk(10_000))
            {
                writer.Write(piece);
                await writer.FlushAsync();
            }
            writer.Prepend("B: 2\r\n"u8);
            writer.Prepend("A: 1\r\n"u8);
            Assert.Equal(CommitStatus.Durable, (await spool.CommitAsync(writer, [Envelopes.Simple(id)])).Status);
        }
        await using (var spool = await OpenAsync())
        {
            var (message, _) = Assert.Single(await RecoverAsync(spool));
            Assert.Equal([.. "A: 1\r\nB: 2\r\n"u8, .. body], ReadBody(spool, message));
            await spool.RemoveAsync(message);
        }
        await using (var spool = await OpenAsync())
            Assert.Empty(await RecoverAsync(spool));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(_directory.Path, "large")));
        Assert.Empty(_notices);
    }

    [Fact]
    public async Task A_large_body_that_is_given_up_leaves_nothing()
    {
        await using var spool = await OpenAsync();
        using (var body = spool.CreateBody())
        {
            body.Write(new byte[200_000]);
            await body.FlushAsync();
            Assert.Single(Directory.EnumerateFiles(Path.Combine(_directory.Path, "large")));
        }
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(_directory.Path, "large")));
    }

    [Fact]
    public async Task A_body_that_is_never_flushed_does_not_stay_in_memory()
    {
        await using var spool = await OpenAsync();
        using var body = spool.CreateBody();
        for (var i = 0; i < 100; i++)
            body.Write(new byte[50_000]);
        Assert.NotEmpty(Directory.EnumerateFiles(Path.Combine(_directory.Path, "large")));
        var message = Assert.Single((await spool.CommitAsync(body, [Envelopes.Simple(_ids.Next())])).Messages);
        Assert.Equal(5_000_000, ReadBody(spool, message).Length);
    }

    [Fact]
    public async Task The_recipients_of_a_batch_share_one_body()
    {
        var envelopes = Enumerable.Range(0, 1000).Select(i => Envelopes.Simple(_ids.Next(), $"user{i}@example.org")).ToArray();
        await using (var spool = await OpenAsync())
        {
            using var body = spool.CreateBody();
            body.Write(new byte[10_000]);
            var result = await spool.CommitAsync(body, envelopes);
            Assert.Equal(envelopes.Select(envelope => envelope.Id), result.Messages.Select(message => message.Id));
            Assert.True(spool.Statistics.BytesWritten < 1000 * 400);
            foreach (var message in result.Messages[1..])
                await spool.RemoveAsync(message);
            Assert.Equal(10_000, ReadBody(spool, result.Messages[0]).Length);
        }
        await using (var spool = await OpenAsync())
        {
            var (message, envelope) = Assert.Single(await RecoverAsync(spool));
            Assert.Equal("user0@example.org", envelope.Recipient);
            Assert.Equal(10_000, ReadBody(spool, message).Length);
        }
    }

    [Fact]
    public async Task Attempts_and_updates_survive_a_restart()
    {
        var attempt = new AttemptRecord(3, DateTimeOffset.FromUnixTimeSeconds(1790001234), 451, 9);
        Envelope changed;
        await using (var spool = await OpenAsync())
        {
            var message = await CommitAsync(spool, "x", "", Envelopes.Simple(_ids.Next()));
            spool.RecordAttempt(message, attempt with { Count = 2 });
            spool.RecordAttempt(message, attempt);
            changed = spool.ReadEnvelope(message) with { Binding = "bulk-1", RoutingOverride = "relay.example.net" };
            Assert.True(await spool.UpdateAsync(message, changed with { Binding = "bulk-0" }));
            Assert.True(await spool.UpdateAsync(message, changed));
            Envelopes.AssertSame(changed, spool.ReadEnvelope(message));
        }
        await using (var spool = await OpenAsync())
        {
            var (message, envelope) = Assert.Single(await RecoverAsync(spool));
            Assert.Equal(attempt, message.LastAttempt);
            Assert.Equal(3, message.Attempts);
            Envelopes.AssertSame(changed, envelope);
            await spool.RemoveAsync(message);
            Assert.False(await spool.UpdateAsync(message, envelope));
        }
        await using (var spool = await OpenAsync())
            Assert.Empty(await RecoverAsync(spool));
    }

    [Fact]
    public async Task Many_at_once_share_syncs_and_all_come_back()
    {
        const int Messages = 400;
        await using (var spool = await OpenAsync())
        {
            await Task.WhenAll(Enumerable.Range(0, Messages).Select(i => CommitAsync(spool, new string('x', 1000 + 37 * i), "", Envelopes.Simple(_ids.Next()))));
            Assert.Equal(Messages, spool.Statistics.Messages);
            Assert.InRange(spool.Statistics.Syncs, 1, Messages / 2);
        }
        await using (var spool = await OpenAsync())
        {
            var recovered = await RecoverAsync(spool);
            Assert.Equal(Messages, recovered.Count);
            foreach (var (message, _) in recovered)
                Assert.Equal(message.Size, ReadBody(spool, message).Length);
        }
    }

    [Fact]
    public async Task An_id_that_exists_is_refused_and_one_that_was_removed_may_come_back()
    {
        var id = _ids.Next();
        await using (var spool = await OpenAsync())
        {
            var message = await CommitAsync(spool, "first", "", Envelopes.Simple(id));
            await Assert.ThrowsAsync<ArgumentException>(() => CommitAsync(spool, "second", "", Envelopes.Simple(id)));
            await spool.RemoveAsync(message);
            await CommitAsync(spool, "third", "", Envelopes.Simple(id));
        }
        await using (var spool = await OpenAsync())
            Assert.Equal("third", Encoding.UTF8.GetString(ReadBody(spool, Assert.Single(await RecoverAsync(spool)).Message)));
    }

    [Fact]
    public async Task What_is_removed_can_be_read_to_the_end_by_who_has_it_open_and_by_nobody_else()
    {
        await using var spool = await OpenAsync();
        var message = await CommitAsync(spool, "hello", "", Envelopes.Simple(_ids.Next()));
        using var reader = spool.OpenBody(message);
        await spool.RemoveAsync(message);
        await spool.FlushAsync();
        var octets = new byte[10];
        Assert.Equal(5, reader.Read(octets));
        Assert.Equal(0, reader.Read(octets));
        Assert.Throws<InvalidOperationException>(() => spool.OpenBody(message));
        Assert.Throws<InvalidOperationException>(() => spool.ReadEnvelope(message));
        Assert.False(spool.TryFind(message.Id, out _));
    }

    [Fact]
    public async Task Slots_are_never_used_again_after_a_restart()
    {
        uint last;
        await using (var spool = await OpenAsync())
        {
            var message = await CommitAsync(spool, "x", "", Envelopes.Simple(new(2_000_000_000, 7, 1)));
            last = message.Id.Slot;
            await spool.RemoveAsync(message);
        }
        await using (var spool = await OpenAsync())
        {
            Assert.Equal(last, spool.LastSlot);
            Assert.True(new MessageIdGenerator(7, TimeProvider.System, spool.LastSlot).Next().Slot > last);
        }
    }

    [Fact]
    public async Task A_gathered_write_of_thousands_of_pieces_arrives_whole()
    {
        var disk = new LinuxDisk(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using var file = disk.Create(Path.Combine(_directory.Path, "pieces"));
        var pieces = Enumerable.Range(0, 5000).Select(i => (ReadOnlyMemory<byte>)new byte[] { (byte)i, (byte)(i >> 8) }).ToArray();
        file.Write(pieces, 3);
        var octets = new byte[10_003];
        Assert.Equal(octets.Length, file.Read(octets, 0));
        for (var i = 0; i < 5000; i++)
            Assert.Equal(i, octets[3 + 2 * i] | octets[4 + 2 * i] << 8);
        await Task.CompletedTask;
    }

    internal static async Task<StoredMessage> CommitAsync(SpoolStore spool, string text, string header, Envelope envelope)
    {
        using var body = spool.CreateBody();
        body.Write(Encoding.UTF8.GetBytes(text));
        body.Prepend(Encoding.UTF8.GetBytes(header));
        var result = await spool.CommitAsync(body, [envelope]);
        Assert.Equal(CommitStatus.Durable, result.Status);
        return Assert.Single(result.Messages);
    }

    internal static async Task<List<RecoveredMessage>> RecoverAsync(SpoolStore spool)
    {
        var all = new List<RecoveredMessage>();
        await foreach (var message in spool.RecoverAsync())
            all.Add(message);
        return all;
    }

    internal static byte[] ReadBody(SpoolStore spool, StoredMessage message)
    {
        using var reader = spool.OpenBody(message);
        var octets = new byte[reader.Length];
        Assert.Equal(octets.Length, reader.Read(octets));
        return octets;
    }
}
