using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Veredus.Lab;

/// <summary>The nodes' processes and configurations.</summary>
public sealed partial class LabCluster
{
    /// <summary>What the nodes said, and their paniclogs, for a test that fails.</summary>
    public string Story => string.Join('\n', Hosts.Select(i =>
    {
        lock (_said[i - 1])
            return $"--- mta{i} ({(_nodes[i - 1] is { HasExited: false } ? "runs" : "ended")})\n{_said[i - 1]}";
    }));

    /// <summary>What the node on a host wrote to standard error: its paniclog.</summary>
    public string Said(int i)
    {
        lock (_said[i - 1])
            return _said[i - 1].ToString();
    }

    /// <summary>Until the node on a host has said it, after what it had said before <paramref name="from"/>.</summary>
    public async Task UntilSaidAsync(int i, string text, int from = 0)
    {
        for (var begun = Stopwatch.GetTimestamp(); !Said(i)[Math.Min(from, Said(i).Length)..].Contains(text, StringComparison.Ordinal);)
        {
            if (Stopwatch.GetElapsedTime(begun) > Limit)
                throw new TimeoutException($"mta{i} did not say '{text}'.\n{Story}");
            await Task.Delay(50);
        }
    }

    public bool Runs(int i) => _nodes[i - 1] is { HasExited: false };

    private string DirectoryOf(int i) => Path.Combine(_directory, $"node{i}");

    /// <summary>What the node on a host is started with from now on.</summary>
    public void Use(NodePlan plan)
    {
        _nodePlans[plan.Host - 1] = plan;
        Directory.CreateDirectory(Path.Combine(DirectoryOf(plan.Host), $"spool-{plan.Name}"));
        File.WriteAllText(Path.Combine(DirectoryOf(plan.Host), "veredus.conf"), Configuration(plan));
    }

    /// <summary>Starts the node; returns when it says that it is ready.</summary>
    public async Task StartNodeAsync(int i)
    {
        Use(_nodePlans[i - 1]);
        var notify = Path.Combine(DirectoryOf(i), "notify.sock");
        File.Delete(notify);
        using var ready = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        ready.Bind(new UnixDomainSocketEndPoint(notify));
        var ended = Launch(i, notify).WaitForExitAsync();
        var buffer = new byte[4096];
        using var limit = new CancellationTokenSource(Limit);
        while (true)
        {
            var reading = ready.ReceiveAsync(buffer, limit.Token).AsTask();
            if (await Task.WhenAny(reading, ended) == ended)
                throw new IOException($"mta{i} ended while it started.\n{Story}");
            if (Encoding.UTF8.GetString(buffer, 0, await reading).Contains("READY=1", StringComparison.Ordinal))
                return;
        }
    }

    /// <summary>Starts a node that is expected to refuse; returns its exit code.</summary>
    public async Task<int> StartInVainAsync(int i)
    {
        Use(_nodePlans[i - 1]);
        using var process = Launch(i, "");
        _nodes[i - 1] = null;
        await process.WaitForExitAsync().WaitAsync(Limit);
        return process.ExitCode;
    }

    private Process Launch(int i, string notify)
    {
        string[] command = [.. _hosts[i - 1].ExecPrefix, Path.Combine(AppContext.BaseDirectory, "veredus"), "node", "run", "-d", "-c", Path.Combine(DirectoryOf(i), "veredus.conf")];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true, RedirectStandardOutput = true };
        if (notify.Length > 0)
            start.Environment["NOTIFY_SOCKET"] = notify;
        start.Environment.Remove("JOURNAL_STREAM");
        var process = Process.Start(start)!;
        process.ErrorDataReceived += (_, line) => Keep(_said[i - 1], line.Data);
        process.OutputDataReceived += (_, line) => Keep(_said[i - 1], line.Data);
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        return _nodes[i - 1] = process;
    }

    private static void Keep(StringBuilder said, string? line)
    {
        if (line is not null)
            lock (said)
                said.AppendLine(line);
    }

    private string Configuration(NodePlan plan) => $$"""
        hostname = "{{plan.Name}}.lab"
        spoolbase = "{{DirectoryOf(plan.Host)}}/spool-{{plan.Name}}"
        pidfile = "{{DirectoryOf(plan.Host)}}/veredus.pid"
        suspend_delivery = true
        ec_logger {
          mainlog = "{{DirectoryOf(plan.Host)}}/mainlog.ec"
          rejectlog = "{{DirectoryOf(plan.Host)}}/rejectlog.ec"
          paniclog = "{{DirectoryOf(plan.Host)}}/paniclog.ec"
          acctlog = "{{DirectoryOf(plan.Host)}}/acctlog.ec"
        }
        bounce_logger { bouncelog = "{{DirectoryOf(plan.Host)}}/bouncelog.ec" }
        esmtp_listener {
          relay_hosts = ( 198.18.0.0/16 fd00:7::/64 )
          listen "{{Static(plan.Host)}}:25" { }
        {{plan.Listens ?? string.Concat(Vips.Select(vip => NodePlan.Listen(vip)))}}
        }
        control_listener { listen "{{DirectoryOf(plan.Host)}}/control.sock" { } }
        msgc_server {
          peers = [ mta1 = "198.18.6.1" mta2 = "198.18.6.2" mta3 = "198.18.6.3" ]
          {{_plan.Bus}}
        }
        cluster {
          nodename = "{{plan.Name}}"
          view_mature_time = 1
          view_balance_interval = 1
          if_down_limit = 1
          duravip_balance_set_size = 500
          {{_plan.Cluster}}
          topology "198.18.0.0/16" { interface = "{{plan.Interface}}" }
          topology "fd00:7::/64" { interface = "{{plan.Interface}}" }
          {{plan.Cluster}}
        }
        {{plan.More}}
        """ + "\n";

    /// <summary>Runs the command line tool against a node's console and returns what it says.</summary>
    public async Task<string> ToolAsync(int i, params string[] words)
    {
        string[] arguments = ["--socket", Path.Combine(DirectoryOf(i), "control.sock"), .. words];
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "veredus"), arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var error = process.StandardError.ReadToEndAsync();
        return await process.StandardOutput.ReadToEndAsync() + await error;
    }

    /// <summary>Gives the nodes a new configuration, one after the other, as an operator would.</summary>
    public async Task ReloadAsync(params NodePlan[] plans)
    {
        foreach (var plan in plans)
        {
            Use(plan);
            var answer = await ToolAsync(plan.Host, "console", "config", "reload");
            if (!answer.Contains("Reconfigured", StringComparison.OrdinalIgnoreCase))
                throw new InvalidOperationException($"mta{plan.Host}: {answer}");
        }
    }

    /// <summary>The node (not ip, which became it) gets a signal by its number.</summary>
    public async Task SignalAsync(int i, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", _nodes[i - 1]!.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Waits for the end of a node's process and forgets it.</summary>
    public async Task EndedAsync(int i)
    {
        await _nodes[i - 1]!.WaitForExitAsync().WaitAsync(Limit);
        _nodes[i - 1] = null;
    }

    public int ProcessOf(int i) => _nodes[i - 1]!.Id;

    public int CorosyncOf(int i) => _daemons[i - 1]!.ProcessId;

    /// <summary>The process of a node's address guard, another one than <paramref name="former"/>; waits for it.</summary>
    public async Task<int> GuardOfAsync(int i, int former = 0)
    {
        for (var begun = Stopwatch.GetTimestamp(); ; await Task.Delay(20))
        {
            var guards = Directory.EnumerateDirectories($"/proc/{ProcessOf(i)}/task")
                .SelectMany(thread => File.ReadAllText($"{thread}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
                .Where(child => File.ReadAllText($"/proc/{child}/comm").StartsWith("vipd", StringComparison.Ordinal))
                .Select(child => int.Parse(child, CultureInfo.InvariantCulture)).Where(guard => guard != former).ToArray();
            if (guards.Length > 0)
                return guards[0];
            Assert.True(Stopwatch.GetElapsedTime(begun) < Limit, $"mta{i} has no guard.\n{Story}");
        }
    }
}
