using System.Text;

namespace Veredus.Spool.Tests;

public sealed class SpoolImportTests
{
    private static readonly MessageIdGenerator Ids = new(7, TimeProvider.System, 0);

    private readonly SimulatedDisk _disk = new(new Random(1));

    [Fact]
    public async Task An_import_brings_every_message_once_and_leaves_the_source_empty()
    {
        var ids = await FillSourceAsync(20);
        await using var target = await OpenAsync("/target", "mx1");
        var imported = await ImportAsync(target, concurrency: 8);
        Assert.Equal(ids, imported.Select(message => message.SourceId).Order());
        Assert.All(imported, message => Assert.Equal((message.SourceId, ImportResult.Ok, "import"), (message.Id, message.Result, message.Envelope!.Protocol)));
        Assert.Equal($"Received: {ids[0]}\r\nbody of {ids[0]}", Encoding.ASCII.GetString(SpoolStoreTests.ReadBody(target, imported.Single(message => message.Id == ids[0]).Message!)));
        Assert.Empty(await ImportAsync(target, concurrency: 1));
    }

    [Fact]
    public async Task An_id_that_exists_here_is_replaced()
    {
        var ids = await FillSourceAsync(3);
        await using var target = await OpenAsync("/target", "mx1");
        await SpoolStoreTests.CommitAsync(target, "another", "", Envelopes.Simple(ids[1]));
        var imported = await ImportAsync(target, concurrency: 1);
        Assert.NotEqual(ids[1], imported.Single(message => message.SourceId == ids[1]).Id);
        Assert.Equal(4, target.Statistics.Messages);
    }

    [Fact]
    public async Task An_import_that_is_repeated_after_a_crash_makes_no_second_copy()
    {
        var ids = await FillSourceAsync(4);
        await using var target = await OpenAsync("/target", "mx1");
        await SpoolStoreTests.CommitAsync(target, "another", "", Envelopes.Simple(ids[1]));
        var source = _disk.Names.Where(name => name.StartsWith("/source/segments", StringComparison.Ordinal)).ToDictionary(name => name, name => _disk[name].Octets.ToArray());
        Assert.Equal(4, (await ImportAsync(target, concurrency: 2)).Count);
        foreach (var later in _disk.Names.Where(name => name.StartsWith("/source/segments", StringComparison.Ordinal)).ToArray())
            _disk.Delete(later);
        foreach (var (name, octets) in source)
            _disk.Create(name).Write(octets, 0);  // as if nothing had been removed there
        var again = await ImportAsync(target, concurrency: 2);
        Assert.Equal(4, again.Count(message => message is { Result: ImportResult.Ok, Message: null }));
        Assert.Equal(5, target.Statistics.Messages);
    }

    [Fact]
    public async Task A_source_in_use_and_one_of_another_node_are_refused()
    {
        await FillSourceAsync(1);
        await using var target = await OpenAsync("/target", "mx1");
        var error = await Assert.ThrowsAsync<SpoolOpenException>(() => ImportAsync(target, 1, takeOver: false));
        Assert.Contains("belongs to mx2", error.Message, StringComparison.Ordinal);
        await using var owner = await OpenAsync("/source", "mx2");
        error = await Assert.ThrowsAsync<SpoolOpenException>(() => ImportAsync(target, 1));
        Assert.Contains("in use by mx2", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reader_sees_the_messages_of_a_spool_in_use_and_changes_nothing()
    {
        await FillSourceAsync(5);
        await using var owner = await OpenAsync("/source", "mx2");
        await SpoolStoreTests.RecoverAsync(owner);
        var late = await SpoolStoreTests.CommitAsync(owner, "late", "", Envelopes.Simple(Ids.Next()));
        using var reader = new SpoolReader("/source", _disk);
        var messages = reader.Messages().ToList();
        Assert.Equal(6, messages.Count);
        using var body = reader.OpenBody(messages.Single(message => message.Message.Id == late.Id).Message);
        var octets = new byte[body.Length];
        body.Read(octets);
        Assert.Equal("late", Encoding.ASCII.GetString(octets));
        Assert.Throws<SpoolOpenException>(() => new SpoolReader("/nothing", _disk));
    }

    private async Task<List<MessageId>> FillSourceAsync(int messages)
    {
        var ids = Enumerable.Range(0, messages).Select(_ => Ids.Next()).ToList();
        await using var source = await OpenAsync("/source", "mx2");
        foreach (var id in ids)
            await SpoolStoreTests.CommitAsync(source, $"body of {id}", "", Envelopes.Simple(id));
        return ids;
    }

    private static async Task<List<ImportedMessage>> ImportAsync(SpoolStore target, int concurrency, bool takeOver = true)
    {
        var options = new ImportOptions
        {
            Source = "/source",
            NodeName = "mx1",
            Concurrency = concurrency,
            TakeOver = takeOver,
            TraceHeader = envelope => Encoding.ASCII.GetBytes($"Received: {envelope.Id}\r\n"),
        };
        var all = new List<ImportedMessage>();
        await foreach (var message in SpoolImport.RunAsync(target, options, Ids, TimeProvider.System))
            all.Add(message);
        return all;
    }

    private ValueTask<SpoolStore> OpenAsync(string spoolBase, string node) =>
        SpoolStore.OpenAsync(new() { Base = spoolBase, NodeName = node, SegmentBytes = 64 << 10 }, _disk, TimeProvider.System);
}
