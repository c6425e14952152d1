using System.Text;

namespace Veredus.Logging.Tests;

public sealed class MailLogsTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-log-").FullName;
    private readonly ManualTime _time = new();
    private readonly MemoryTarget _stderr = new("stderr");

    public void Dispose()
    {
        _stderr.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_record_is_in_its_file_a_second_later_and_not_written_alone()
    {
        await using var logs = Files(LogKind.Main);
        logs.Write(Reception("a"));
        logs.Write(Reception("b"));
        Assert.Equal("", Read("mainlog.ec"));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(2, Read("mainlog.ec").Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Fact]
    public async Task A_switched_off_record_is_not_written()
    {
        await using var logs = new MailLogs(_time, stderr: _stderr);
        Assert.True(logs.TryConfigure([new() { Logs = [To(LogKind.Main)], Records = LogRecords.All & ~LogRecords.Receptions }], new(), out _));
        logs.Write(Reception("a"));
        logs.Flush();
        Assert.Equal("", Read("mainlog.ec"));
    }

    [Fact]
    public async Task A_json_destination_gets_objects_and_a_plain_one_lines()
    {
        await using var logs = new MailLogs(_time, stderr: _stderr);
        var json = new LogDestination(LogKind.Main, Path.Combine(_directory, "main.json"));
        Assert.True(logs.TryConfigure([new() { Logs = [To(LogKind.Main)] }, new() { Logs = [json] }], new(), out _));
        logs.Write(Reception("a"));
        logs.Flush();
        Assert.StartsWith("{\"log\":\"main\",\"time\":1790000000,", Read("main.json"));
        Assert.StartsWith("1790000000@", Read("mainlog.ec"));
    }

    [Fact]
    public async Task A_heartbeat_shows_a_quiet_log_from_a_dead_one()
    {
        await using var logs = new MailLogs(_time, stderr: _stderr);
        Assert.True(logs.TryConfigure([new() { Logs = [To(LogKind.Main), To(LogKind.Reject)], Heartbeat = TimeSpan.FromSeconds(60) }], new(), out _));
        _time.Advance(TimeSpan.FromSeconds(120));
        Assert.Equal("1790000060@@@@M\n1790000120@@@@M\n", Read("mainlog.ec"));
        Assert.Equal("1790000060: Marker 1\n1790000120: Marker 1\n", Read("rejectlog.ec"));
    }

    [Fact]
    public async Task A_moved_file_is_written_until_the_logs_are_reopened_and_no_line_is_lost()
    {
        await using var logs = Files(LogKind.Main);
        logs.Write(Reception("a"));
        logs.Flush();
        File.Move(Path.Combine(_directory, "mainlog.ec"), Path.Combine(_directory, "mainlog.ec.1"));
        logs.Write(Reception("b"));
        logs.Reopen();
        logs.Write(Reception("c"));
        logs.Flush();
        Assert.Contains("@a@", Read("mainlog.ec.1"));
        Assert.Contains("@b@", Read("mainlog.ec.1"));
        Assert.DoesNotContain("@b@", Read("mainlog.ec"));
        Assert.Contains("@c@", Read("mainlog.ec"));
    }

    [Fact]
    public async Task A_rotation_by_truncation_leaves_no_hole()
    {
        await using var logs = Files(LogKind.Main);
        logs.Write(Reception("a"));
        logs.Flush();
        File.WriteAllBytes(Path.Combine(_directory, "mainlog.ec"), []);
        logs.Write(Reception("b"));
        logs.Flush();
        Assert.StartsWith("1790000000@", Read("mainlog.ec"));
    }

    [Fact]
    public async Task A_new_file_gets_the_mode_that_is_configured()
    {
        await using var logs = new MailLogs(_time, stderr: _stderr);
        var mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
        Assert.True(logs.TryConfigure([new() { Logs = [To(LogKind.Main) with { Mode = mode }] }], new(), out _));
        Assert.Equal(mode, File.GetUnixFileMode(Path.Combine(_directory, "mainlog.ec")));
    }

    [Fact]
    public async Task A_full_disk_holds_lines_back_drops_what_has_no_room_and_tells_the_operator_once()
    {
        var disk = new MemoryTarget("mainlog.ec") { Full = true };
        await using var logs = new MailLogs(_time, _ => disk, _stderr);
        Assert.True(logs.TryConfigure([new() { Logs = [new(LogKind.Main, "mainlog.ec")], Heartbeat = default }], new(), out _));
        logs.Write(Reception("first"));
        _time.Advance(TimeSpan.FromSeconds(5));
        var big = new string('x', 60_000);
        for (var index = 0; index < 100; index++)
            logs.Write(Reception(big));
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal("", disk.Text);
        Assert.Single(_stderr.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("mainlog.ec: No space left on device", _stderr.Text);

        disk.Full = false;
        _time.Advance(TimeSpan.FromSeconds(3));
        Assert.Contains("@first@", disk.Text);
        var counters = logs.Counters.Single(counter => counter.Destination == "mainlog.ec");
        Assert.InRange(counters.Dropped, 1, 99);
        Assert.Equal(101, counters.Lines + counters.Dropped);
        Assert.Equal(counters.Lines, disk.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Contains($"mainlog.ec: written again; {counters.Dropped} lines were lost", _stderr.Text);
    }

    [Fact]
    public async Task A_write_that_the_real_disk_refuses_leaves_no_half_line()
    {
        await using var logs = new MailLogs(_time, stderr: _stderr);
        Assert.True(logs.TryConfigure([new() { Logs = [new(LogKind.Main, "/dev/full")] }], new(), out _));
        logs.Write(Reception("a"));
        Assert.False(logs.Flush());
        logs.Flush();
        Assert.Contains("/dev/full: ", _stderr.Text);
    }

    [Fact]
    public async Task A_destination_that_cannot_be_opened_changes_nothing_and_is_named()
    {
        await using var logs = Files(LogKind.Main);
        var broken = new LogDestination(LogKind.Main, Path.Combine(_directory, "missing", "mainlog.ec"));
        Assert.False(logs.TryConfigure([new() { Logs = [broken] }], new(), out var error));
        Assert.Contains("missing/mainlog.ec", error);
        Assert.Contains("No such file or directory", error);
        logs.Write(Reception("a"));
        logs.Flush();
        Assert.Contains("@a@", Read("mainlog.ec"));
    }

    [Fact]
    public async Task A_reload_writes_the_lines_of_a_destination_that_goes()
    {
        await using var logs = Files(LogKind.Main);
        logs.Write(Reception("a"));
        Assert.True(logs.TryConfigure([], new(), out _));
        Assert.Contains("@a@", Read("mainlog.ec"));
    }

    [Fact]
    public async Task Many_threads_never_mix_their_lines()
    {
        await using (var logs = Files(LogKind.Main))
        {
            var writers = Enumerable.Range(0, 4).Select(writer => Task.Run(() =>
            {
                for (var index = 0; index < 500; index++)
                    logs.Write(Reception($"w{writer}-{index}"));
            }));
            await Task.WhenAll(writers);
        }
        var lines = File.ReadAllLines(Path.Combine(_directory, "mainlog.ec"));
        Assert.Equal(2000, lines.Length);
        Assert.All(lines, line => Assert.True(LogLine.TryParse(LogKind.Main, Encoding.UTF8.GetBytes(line), out _)));
    }

    [Fact]
    public async Task The_steady_state_allocates_nothing_for_a_record()
    {
        await using var logs = new MailLogs(_time, _ => new NullTarget(), _stderr);
        Assert.True(logs.TryConfigure([new() { Logs = [new(LogKind.Main, "null")], Heartbeat = default }], new(), out _));
        var record = Reception("a");
        Burst();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Burst();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1000);

        void Burst()
        {
            for (var round = 0; round < 10; round++)
            {
                for (var index = 0; index < 100; index++)
                    logs.Write(record);
                logs.Flush();
            }
        }
    }

    private MailLogs Files(params LogKind[] kinds)
    {
        var logs = new MailLogs(_time, stderr: _stderr);
        Assert.True(logs.TryConfigure([new() { Logs = [.. kinds.Select(To)], Heartbeat = default }], new(), out var error), error);
        return logs;
    }

    private LogDestination To(LogKind kind) => new(kind, Path.Combine(_directory, kind.Name() + ".ec"));

    private string Read(string name) => File.ReadAllText(Path.Combine(_directory, name));

    private static ReceptionRecord Reception(string recipient) => new()
    {
        Time = 1_790_000_000, MessageId = LogId.From("10/00-00007-08B31BA6"), BatchId = default, ConnectionId = default, RecipientLocalpart = recipient,
        RecipientDomain = "example.net", SenderLocalpart = "s", SenderDomain = "example.com", Size = 1, Protocol = "esmtp", BindingGroup = "g", Binding = "b",
    };
}
