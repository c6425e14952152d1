namespace Veredus.ConfigServer.Tests;

/// <summary>A server without others, hosts that run eccfg against it, and followers; the bus is the test's, and no clock wakes anybody.</summary>
internal sealed class OneServer : IAsyncDisposable
{
    private readonly Scratch _scratch = new();
    private readonly SwitchBus _nodes = new();
    private readonly CancellationTokenSource _hang = new(TimeSpan.FromSeconds(180));

    public ConfigServerHost Server { get; private set; } = null!;

    /// <summary>Ends a hang.</summary>
    public CancellationToken Hang => _hang.Token;

    public List<string> Log { get; } = [];

    private TaskCompletionSource _said = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static async Task<OneServer> StartAsync(TimeProvider? time = null, params string[] hosts)
    {
        var one = new OneServer();
        one.Server = await ConfigServerHost.StartAsync(new()
        {
            NodeName = "mgr1", HostName = "localhost", Directory = one.Below("server"), Port = 0, ServicePassword = "service", NodeBus = one._nodes.Join(), Time = time ?? TimeProvider.System, Log = one.Note,
        }, default);
        one.Server.Users.Set("admin", "secret", ["*"]);
        await one.Server.Replicator.UntilAsync(() => one.Server.Replicator.WhyNoCommit("default") is null && one.Server.Replicator.WhyNoCommit("global") is null, one.Hang);
        foreach (var host in hosts)
            await one.RunAsync(host, 0, "bootstrap", "--clustername", "default", $"localhost:{one.Server.Port}", "--node", host);
        return one;
    }

    public string Below(params string[] parts) => _scratch.Below(parts);

    public WorkingCopy Copy(string host) => new(Below(host), Below(host, "conf"));

    public void Write(string host, string path, string text) => Copy(host).Write(path, text);

    public string Read(string host, string path) => Copy(host).Read(path);

    public Task<Head> HeadAsync() => Server.Store.Open("default").HeadAsync(default);

    /// <summary>Runs eccfg on a host and expects an exit code; what it said.</summary>
    public Task<string> RunAsync(string host, int expected, params string[] words) => RunAsync(host, expected, TimeProvider.System, words);

    public async Task<string> RunAsync(string host, int expected, TimeProvider time, params string[] words)
    {
        using var output = new StringWriter();
        var code = await Eccfg.RunAsync(new(output, output, TextReader.Null, null, null, name => name switch { "USER" => "admin", "ECCFG_PASSWORD" => "secret", _ => null }, time)
        {
            Running = _ => Task.FromResult<string?>("running = true\n"),
        }, [.. words, "--etc", Below(host)], default);
        return code == expected ? output.ToString() : throw new Xunit.Sdk.XunitException($"'{string.Join(' ', words)}' ended with {code}, not {expected}: {output}");
    }

    /// <summary>A host that follows; it looks only when it is told.</summary>
    public async Task<Follower> FollowAsync(string host, Func<string, CancellationToken, Task<string?>>? rehearse = null, Func<string, CancellationToken, Task<NodeEffect>>? plan = null)
    {
        await RunAsync(host, 0, "bootstrap", "--clustername", "default", $"localhost:{Server.Port}", "--node", host);
        var follower = new Follower(new()
        {
            Etc = Below(host), Conf = Below(host, "conf"), OpenBus = _nodes.Join, Period = TimeSpan.FromDays(1), Jitter = TimeSpan.Zero, Rehearse = rehearse, Plan = plan, Reload = _ => Task.FromResult<string?>(null), Log = Note,
        });
        await follower.UntilAsync(_ => true, Hang);
        await Server.Desk.UntilAsync(nodes => nodes.Any(node => node.Node == host), Hang);
        return follower;
    }

    private void Note(string line)
    {
        lock (Log)
        {
            Log.Add(line);
            _said.TrySetResult();
            _said = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>Waits until a line with this text was logged.</summary>
    public async Task SaidAsync(string text)
    {
        while (true)
        {
            Task more;
            lock (Log)
            {
                if (Log.Any(line => line.Contains(text, StringComparison.Ordinal)))
                    return;
                more = _said.Task;
            }
            await more.WaitAsync(Hang);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        _hang.Dispose();
        _scratch.Dispose();
    }
}
