using System.Net.Sockets;
using System.Text;

namespace Veredus.Logging.Tests;

public sealed class PanicTests : IDisposable
{
    private readonly ManualTime _time = new();
    private readonly MemoryTarget _panic = new("paniclog");
    private readonly MemoryTarget _stderr = new("stderr");

    public void Dispose()
    {
        _panic.Dispose();
        _stderr.Dispose();
    }

    [Fact]
    public async Task Errors_are_shown_and_lighter_entries_only_when_asked_for()
    {
        await using var logs = Logs(new());
        logs.Panic(PanicLevel.Error, PanicSubsystems.Dns, "", "no resolver answers");
        logs.Panic(PanicLevel.Notice, PanicSubsystems.Dns, "dns", "cache cleared");
        logs.Flush();
        Assert.Equal("1790000000:no resolver answers\n", _panic.Text);

        Assert.True(logs.TryConfigure(Loggers, new() { ModuleLevels = new Dictionary<string, PanicLevel> { ["dns"] = PanicLevel.Info } }, out _));
        logs.Panic(PanicLevel.Notice, PanicSubsystems.Dns, "dns", "cache cleared");
        logs.Panic(PanicLevel.Notice, PanicSubsystems.Dns, "net", "cache cleared");
        logs.Flush();
        Assert.EndsWith("1790000000:dns: cache cleared\n", _panic.Text);
        Assert.DoesNotContain("net: cache", _panic.Text);
    }

    [Fact]
    public async Task The_console_sees_the_last_ten_of_each_level_also_what_the_filter_hides()
    {
        await using var logs = Logs(new());
        for (var index = 0; index < 25; index++)
            logs.Panic(PanicLevel.Warning, PanicSubsystems.Net, "", $"entry {index}");
        Assert.Equal(Enumerable.Range(15, 10).Select(index => $"entry {index}"), logs.RecentPanics(PanicLevel.Warning).Select(entry => entry.Text));
        Assert.Empty(logs.RecentPanics(PanicLevel.Error));
    }

    [Fact]
    public async Task A_repeated_line_is_collapsed_after_ten_in_a_second()
    {
        await using var logs = Logs(new());
        for (var index = 0; index < 1000; index++)
            logs.Panic(PanicLevel.Error, PanicSubsystems.Net, "", "the same");
        logs.Panic(PanicLevel.Error, PanicSubsystems.Net, "", "another");
        _time.Advance(TimeSpan.FromSeconds(3));
        logs.Panic(PanicLevel.Error, PanicSubsystems.Net, "", "the same");
        logs.Flush();
        var lines = _panic.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(13, lines.Length);
        Assert.Equal("1790000000:the same (repeated 990 more times)", lines[11]);
        Assert.Equal("1790000003:the same", lines[12]);
    }

    [Fact]
    public async Task Standard_error_has_times_in_the_foreground_and_priorities_under_systemd()
    {
        await using var logs = Logs(new() { StderrIsJournal = false });
        logs.Panic(PanicLevel.Error, PanicSubsystems.Net, "", "one");
        logs.Flush();
        Assert.Equal("[Mon 21 Sep 2026 14:13:20] one\n", _stderr.Text);
        Assert.True(logs.TryConfigure(Loggers, new() { StderrIsJournal = true }, out _));
        logs.Panic(PanicLevel.Critical, PanicSubsystems.Net, "", "two\n\u001b[2J\u202e");
        logs.Flush();
        Assert.EndsWith("<2>two\\n\\x1B[2J\\u{202E}\n", _stderr.Text);
    }

    [Fact]
    public void Syslog_gets_one_datagram_a_line_with_its_priority()
    {
        var path = Path.Combine(Path.GetTempPath(), $"veredus-syslog-{Environment.ProcessId}");
        File.Delete(path);
        using var receiver = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        receiver.Bind(new UnixDomainSocketEndPoint(path));
        using var target = new SyslogTarget("mail", "crit", path);
        target.Write("1790000000:one\n1790000000:two\n"u8);
        var buffer = new byte[1000];
        Assert.EndsWith("]: 1790000000:one", Encoding.UTF8.GetString(buffer, 0, receiver.Receive(buffer)));
        Assert.StartsWith("<18>veredus[", Encoding.UTF8.GetString(buffer, 0, receiver.Receive(buffer)));
        File.Delete(path);
        receiver.Dispose();
        target.Reopen();
        Assert.Throws<IOException>(() => target.Write("x\n"u8));
    }

    [Theory]
    [InlineData(LogKind.Main, "syslog://?facility=mail", false)]
    [InlineData(LogKind.Panic, "syslog://?facility=mail&priority=err", true)]
    [InlineData(LogKind.Main, "jlog:///var/log/x", true)]
    [InlineData(LogKind.Main, "/var/log/x", true)]
    public void Only_destinations_that_work_are_supported(LogKind kind, string destination, bool supported) =>
        Assert.Equal(supported, LogTargets.IsSupported(new(kind, destination)));

    [Fact]
    public void A_wrong_syslog_name_is_answered_with_the_right_ones()
    {
        var error = Assert.Throws<ArgumentException>(() => LogTargets.Open(new(LogKind.Panic, "syslog://?facility=post")));
        Assert.Contains("'post' is not a syslog facility; known are kern user mail", error.Message);
    }

    private static LoggerSettings[] Loggers => [new() { Logs = [new(LogKind.Panic, "paniclog")] }];

    private MailLogs Logs(PanicSettings settings)
    {
        var logs = new MailLogs(_time, _ => _panic, _stderr);
        Assert.True(logs.TryConfigure(Loggers, settings, out _));
        return logs;
    }
}
