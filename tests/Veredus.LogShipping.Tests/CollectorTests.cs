using System.Globalization;
using Veredus.Journal;

namespace Veredus.LogShipping.Tests;

public sealed class CollectorTests : ShippingFixture
{
    private static readonly LogKey MainLog = new("mta1", "mainlog", "mgr1");

    [Fact]
    public async Task What_a_node_logs_is_in_the_managers_file_and_only_then_acknowledged()
    {
        var journal = Node.Make("mainlog");
        var last = Node.Write("mainlog", "one\n", "two\n", "no line feed");
        await using (var collector = Collect(Settings()))
        {
            await Arrived(MainLog, last);
            Assert.Equal("one\ntwo\nno line feed\n", Lines("mainlog/mta1"));
            last = Node.Write("mainlog", "four\n");
            await Arrived(MainLog, last);
        }
        Assert.Equal("one\ntwo\nno line feed\nfour\n", Lines("mainlog/mta1"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead, File.GetUnixFileMode(Path.Join(Files, "mainlog/mta1")));
        Assert.True(JournalDirectory.Subscribers(journal)[0].Position >= new RecordId(0, 3));
    }

    [Theory]
    [InlineData(-1000)]
    [InlineData(1000)]
    public async Task A_manager_whose_clock_is_wrong_puts_lines_where_the_nodes_clock_says_and_is_never_ahead(int days)
    {
        Node.Make("mainlog");
        var last = Node.Write("mainlog", "one\n", "two\n");
        await using var collector = Collect(Settings(pattern: "%Y/%{n}"), new WrongClock(TimeSpan.FromDays(days)));
        await Arrived(MainLog, last);
        Assert.Equal("one\ntwo\n", Lines($"{TestNode.WrittenAt.Year}/mta1"));
        Assert.Single(Directory.GetFiles(Files, "mta1", SearchOption.AllDirectories));
        Assert.All(collector.Status, log => Assert.True(log.BehindSeconds >= 0, $"{log.BehindSeconds} s"));
        Assert.Empty(Reports);
    }

    private sealed class WrongClock(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }

    [Fact]
    public async Task A_restart_of_the_manager_repeats_and_loses_nothing_whatever_it_had_acknowledged()
    {
        var journal = Node.Make("mainlog", unitLimit: 2000);
        var expected = "";
        for (var round = 0; round < 6; round++)
        {
            var lines = Enumerable.Range(0, 100).Select(n => string.Create(CultureInfo.InvariantCulture, $"{round} {n:000}\n")).ToArray();
            expected += string.Concat(lines);
            var last = Node.Write("mainlog", lines);
            var before = JournalDirectory.Subscribers(journal)[0].Position!.Value;
            await using (Collect(Settings()))
                await Arrived(MainLog, last);
            // The acknowledgement was lost: the node still thinks that everything of this round is to be sent, as far as it has it.
            var first = JournalDirectory.Segments(journal)[0].Number;
            JournalDirectory.SetCheckpoint(journal, "mgr1", before.Segment < first ? new(first, 0) : before);
            Assert.Equal(expected, Lines("mainlog/mta1"));
        }
    }

    [Fact]
    public async Task Lines_that_were_written_without_their_position_are_taken_back_at_the_next_start()
    {
        Node.Make("mainlog");
        var last = Node.Write("mainlog", "one\n");
        var file = Path.Join(Files, "mainlog/mta1");
        var state = Path.Join(Base, "state", "mgr1");
        await using (Collect(Settings()))
        {
            await Arrived(MainLog, last);
            Directory.CreateDirectory(state + ".copy");
            File.Copy(Path.Join(state, "positions"), Path.Join(state + ".copy", "positions"));
        }
        // As a kill leaves it: the file open for the positions, and more in it than they say.
        File.Copy(Path.Join(state + ".copy", "positions"), Path.Join(state, "positions"), overwrite: true);
        File.AppendAllText(file, "two\ntorn");
        last = Node.Write("mainlog", "two\n", "three\n");
        await using (Collect(Settings()))
            await Arrived(MainLog, last);
        Assert.Equal("one\ntwo\nthree\n", Lines("mainlog/mta1"));
    }

    [Fact]
    public async Task A_connection_that_breaks_at_any_moment_costs_and_repeats_no_record()
    {
        Node.Make("mainlog", unitLimit: 5000);
        var expected = new List<string>();
        await using (Collect(Settings()))
        {
            var last = default(RecordId);
            for (var round = 0; round < 20; round++)
            {
                var lines = Enumerable.Range(0, 200).Select(n => string.Create(CultureInfo.InvariantCulture, $"{round:00} {n:000}\n")).ToArray();
                expected.AddRange(lines);
                last = Node.Write("mainlog", lines);
                await Node.CutAsync();
            }
            await Arrived(MainLog, last);
        }
        Assert.Equal(string.Concat(expected), Lines("mainlog/mta1"));
    }

    [Fact]
    public async Task Two_managers_with_their_own_subscribers_have_a_whole_copy_each()
    {
        var journal = Node.Make("mainlog");
        JournalDirectory.AddSubscriber(journal, "mgr2");
        var last = Node.Write("mainlog", "one\n");
        await using (Collect(Settings("mgr1", "a/%{l}")))
        await using (Collect(Settings("mgr2", "b/%{l}")))
        {
            await Arrived(MainLog, last);
            await Arrived(MainLog with { Subscriber = "mgr2" }, last);
        }
        Assert.Equal(Lines("a/mainlog"), Lines("b/mainlog"));
    }

    [Fact]
    public async Task A_second_manager_does_not_read_as_a_subscriber_that_is_in_use_and_says_by_whom()
    {
        Node.Make("mainlog", "master");
        var last = Node.Write("mainlog", "one\n");
        await using var first = Collect(Settings("mgr1"));
        await Arrived(MainLog with { Subscriber = "master" }, last);
        await using var second = Collect(Settings("mgr2"));
        await Until(() => Reports.Any(line => line.Contains("450 mainlog is in use by mgr1 as master", StringComparison.Ordinal)));
        Assert.Equal("one\n", Lines("mainlog/mta1"));
    }

    [Fact]
    public async Task Two_managers_on_one_state_directory_are_told_apart()
    {
        Node.Make("mainlog");
        await using var first = Collect(Settings());
        Assert.Contains("in use by another manager", Assert.Throws<IOException>(() => Collect(Settings())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nodes_that_share_a_file_mix_whole_lines_and_restarts_repeat_none()
    {
        await using var other = new TestNode(this, "mta2");
        Node.Make("mainlog");
        other.Make("mainlog");
        for (var round = 0; round < 5; round++)
        {
            var lines = Enumerable.Range(0, 300).Select(n => string.Create(CultureInfo.InvariantCulture, $"{round} {n:000}\n")).ToArray();
            var last = (Node.Write("mainlog", [.. lines.Select(line => "mta1 " + line)]), other.Write("mainlog", [.. lines.Select(line => "mta2 " + line)]));
            await using (Collect(Settings(pattern: "all/%{l}"), Node, other))
            {
                await Arrived(MainLog, last.Item1);
                await Arrived(MainLog with { Node = "mta2" }, last.Item2);
            }
        }
        var all = Lines("all/mainlog").Split('\n')[..^1];
        Assert.Equal(3000, all.Length);
        foreach (var node in all.GroupBy(line => line[..4]))
            Assert.Equal(node.Order(StringComparer.Ordinal), node);
    }

    [Fact]
    public async Task A_file_that_was_there_before_is_kept_and_a_rotated_one_is_left_alone()
    {
        Node.Make("mainlog");
        Directory.CreateDirectory(Path.Join(Files, "mainlog"));
        File.WriteAllText(Path.Join(Files, "mainlog/mta1"), "old\n");
        var last = Node.Write("mainlog", "one\n");
        await using (Collect(Settings()))
            await Arrived(MainLog, last);
        Assert.Equal("old\none\n", Lines("mainlog/mta1"));
        File.Move(Path.Join(Files, "mainlog/mta1"), Path.Join(Files, "mainlog/mta1.1"));
        last = Node.Write("mainlog", "two\n");
        await using (Collect(Settings()))
            await Arrived(MainLog, last);
        Assert.Equal("two\n", Lines("mainlog/mta1"));
        Assert.Equal("old\none\n", Lines("mainlog/mta1.1"));
    }

    [Fact]
    public async Task More_files_than_may_be_open_at_a_time_are_written_all_the_same()
    {
        for (var n = 0; n < 10; n++)
            Node.Make($"log{n}");
        await using var collector = Collect(Settings() with { MaxOpen = 2 });
        for (var round = 0; round < 3; round++)
        {
            for (var n = 0; n < 10; n++)
                await Arrived(new("mta1", $"log{n}", "mgr1"), Node.Write($"log{n}", "line\n"));
        }
        for (var n = 0; n < 10; n++)
            Assert.Equal("line\nline\nline\n", Lines($"log{n}/mta1"));
    }

    [Fact]
    public async Task A_journal_that_was_made_anew_is_read_from_its_beginning()
    {
        var journal = Node.Make("mainlog");
        var last = Node.Write("mainlog", "one\n", "two\n");
        await using (Collect(Settings()))
            await Arrived(MainLog, last);
        Directory.Delete(journal, recursive: true);
        Node.Make("mainlog");
        last = Node.Write("mainlog", "anew\n");
        await using (Collect(Settings()))
            await Arrived(MainLog, last);
        Assert.Equal("one\ntwo\nanew\n", Lines("mainlog/mta1"));
        Assert.Contains(Reports, line => line.Contains("was made anew", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_log_without_a_subscriber_of_ours_is_left_alone_and_shown()
    {
        Node.Make("mainlog", "somebody-else");
        Node.Write("mainlog", "one\n");
        await using var collector = Collect(Settings());
        await Until(() => collector.Status.Count == 1);
        Assert.Equal(CollectionState.NotSubscribed, collector.Status[0].State);
        Assert.True(collector.Status[0].Subscribers[0].WaitingBytes > 0);
        Assert.False(Directory.Exists(Files));
    }

    [Fact]
    public async Task A_file_that_cannot_be_written_holds_up_no_other_and_loses_nothing()
    {
        Node.Make("mainlog");
        Node.Make("rejectlog");
        Directory.CreateDirectory(Path.Join(Files, "mainlog/mta1"));  // a directory where the file belongs
        var (main, reject) = (Node.Write("mainlog", "one\n"), Node.Write("rejectlog", "no\n"));
        await using var collector = Collect(Settings());
        await Arrived(MainLog with { Log = "rejectlog" }, reject);
        await Until(() => Reports.Any(line => line.Contains("mainlog/mta1", StringComparison.Ordinal)));
        Directory.Delete(Path.Join(Files, "mainlog/mta1"));
        await Arrived(MainLog, main);
        Assert.Equal("one\n", Lines("mainlog/mta1"));
    }

    [Fact]
    public async Task A_published_log_that_is_not_there_yet_disturbs_no_other_and_comes_when_it_is_made()
    {
        Node.Make("mainlog");
        Node.Logs["later"] = Path.Join(Base, "mta1", "later");
        var last = Node.Write("mainlog", "one\n");
        await using var collector = Collect(Settings());
        await Arrived(MainLog, last);
        await Until(() => collector.Status.Count == 2);
        Assert.Equal((CollectionState.NotSubscribed, -1L), (collector.Status[0].State, collector.Status[0].DiskBytes));
        Node.Make("later");
        await Arrived(MainLog with { Log = "later" }, Node.Write("later", "two\n"));
    }

    [Fact]
    public async Task An_unreachable_node_is_named_and_comes_again()
    {
        Node.Make("mainlog");
        Node.IsDown = true;
        var last = Node.Write("mainlog", "one\n");
        await using var collector = Collect(Settings());
        await Until(() => collector.Unreachable.Count == 1);
        Assert.Equal(("mta1", "mta1 is down"), collector.Unreachable[0]);
        Node.IsDown = false;
        await Arrived(MainLog, last);
    }

    /// <summary>For states that have no signal: each look gives the others the thread.</summary>
    private static async Task Until(Func<bool> condition)
    {
        using var hang = new CancellationTokenSource(Hang);
        while (!condition())
        {
            hang.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
