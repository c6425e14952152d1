namespace Veredus.Spool.Tests;

/// <summary>What is with another host when the process dies is known to the next one.</summary>
public sealed class HandOverTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly SimulatedDisk _disk = new(new Random(1));
    private readonly MessageIdGenerator _ids = new(7, TimeProvider.System, 0);
    private readonly List<string> _notices = [];

    public void Dispose() => _directory.Dispose();

    private static SpoolOptions Options => new() { Base = "/spool", NodeName = "mx1", SegmentBytes = 64 << 10 };

    private async Task<SpoolStore> OpenAsync() => await Task.Run(() => SpoolStore.Open(Options, _disk, TimeProvider.System, ownThreads: true));

    private async Task<StoredMessage> CommitAsync(SpoolStore spool)
    {
        var envelope = Envelopes.Any(new Random(2)) with { Id = _ids.Next() };
        return await SpoolStoreTests.CommitAsync(spool, "Subject: hi\r\n\r\nHello\r\n", "", envelope);
    }

    [Fact]
    public async Task A_message_that_was_with_another_host_at_a_kill_is_in_doubt_until_that_is_on_record()
    {
        var spool = await OpenAsync();
        await SpoolStoreTests.RecoverAsync(spool);
        var (with, refused, never) = (await CommitAsync(spool), await CommitAsync(spool), await CommitAsync(spool));
        spool.BeginHandOver(with);
        spool.BeginHandOver(refused);
        spool.EndHandOver(refused);
        _disk.Kill();

        // Also over a second kill, until the next process has taken note of it.
        for (var restart = 0; restart < 2; restart++)
        {
            spool = await OpenAsync();
            var found = (await SpoolStoreTests.RecoverAsync(spool)).ToDictionary(one => one.Message.Id);
            Assert.Equal(3, found.Count);
            Assert.NotNull(found[with.Id].InDoubtSince);
            Assert.Null(found[refused.Id].InDoubtSince);
            Assert.Null(found[never.Id].InDoubtSince);
            if (restart == 1)
                spool.EndHandOver(found[with.Id].Message);
            _disk.Kill();
        }
        spool = await OpenAsync();
        Assert.All(await SpoolStoreTests.RecoverAsync(spool), one => Assert.Null(one.InDoubtSince));
    }

    [Fact]
    public async Task A_removal_that_is_written_ends_the_doubt_and_one_that_is_not_leaves_it()
    {
        var spool = SpoolStore.Open(Options, _disk, TimeProvider.System, ownThreads: false);
        await SpoolStoreTests.RecoverAsync(spool);
        var commits = new[] { CommitAsync(spool), CommitAsync(spool) };
        spool.Writer.Step();
        var (written, asked) = (await commits[0], await commits[1]);
        spool.BeginHandOver(written);
        spool.BeginHandOver(asked);
        await spool.RemoveAsync(written);
        spool.Writer.Step();
        await spool.RemoveAsync(asked);  // and the writer has not come to it
        _disk.Kill();

        spool = await OpenAsync();
        var found = Assert.Single(await SpoolStoreTests.RecoverAsync(spool));
        Assert.Equal(asked.Id, found.Message.Id);
        Assert.NotNull(found.InDoubtSince);
    }

    [Fact]
    public async Task New_mail_that_is_delivered_while_the_old_is_still_read_is_in_doubt_until_its_removal_is_written()
    {
        var spool = SpoolStore.Open(Options, _disk, TimeProvider.System, ownThreads: false);
        var commit = CommitAsync(spool);
        spool.Writer.Step();
        var message = await commit;
        spool.BeginHandOver(message);
        await spool.RemoveAsync(message);  // asked, not written
        await SpoolStoreTests.RecoverAsync(spool);
        _disk.Kill();

        spool = await OpenAsync();
        Assert.NotNull(Assert.Single(await SpoolStoreTests.RecoverAsync(spool)).InDoubtSince);
    }

    [Fact]
    public async Task More_messages_than_there_are_marks_for_go_out_all_the_same()
    {
        await using var spool = await OpenAsync();
        await SpoolStoreTests.RecoverAsync(spool);
        var message = await CommitAsync(spool);
        using var marks = HandOverMarks.Open(_disk, "/other", _notices.Add)!;
        for (var id = 1UL; id <= 70_000; id++)
            marks.Begin(new(id), 1);
        Assert.NotNull(marks.Since(new(1)));
        Assert.Null(marks.Since(new(70_000)));
        for (var id = 1UL; id <= 70_000; id++)
            marks.End(new(id));
        marks.Begin(message.Id, 5);
        Assert.Equal(5, marks.Since(message.Id));
    }

    [Fact]
    public void The_file_outlives_the_process_and_a_foreign_one_is_begun_anew()
    {
        var disk = new LinuxDisk(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using (var marks = HandOverMarks.Open(disk, _directory.Path, _notices.Add)!)
            marks.Begin(new(77), 123);
        using (var marks = HandOverMarks.Open(disk, _directory.Path, _notices.Add)!)
            Assert.Equal(123, marks.Since(new(77)));
        var file = Path.Combine(_directory.Path, HandOverMarks.Name);
        File.WriteAllText(file, "something else");
        using (var marks = HandOverMarks.Open(disk, _directory.Path, _notices.Add)!)
            Assert.Null(marks.Since(new(77)));
        var octets = File.ReadAllBytes(file);
        octets[4] = 99;  // a newer version
        octets[64] = 1;
        File.WriteAllBytes(file, octets);
        using (var marks = HandOverMarks.Open(disk, _directory.Path, _notices.Add)!)
            Assert.Null(marks.Since(new(1)));
        Assert.Empty(_notices);
    }
}
