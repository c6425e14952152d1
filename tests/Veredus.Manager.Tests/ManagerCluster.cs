using System.Collections.Concurrent;
using System.Text;
using Veredus.Cluster;
using Veredus.Cluster.Tests;
using Veredus.Configuration;

namespace Veredus.Manager.Tests;

/// <summary>Real managers and the command line tool in this process; nodes that carry out what the test says; a bus in memory.</summary>
internal sealed class ManagerCluster : IAsyncDisposable
{
    /// <summary>Ends a hang; no test waits for it.</summary>
    public static readonly TimeSpan Hang = TimeSpan.FromSeconds(90);

    private readonly MemoryGroup _group = new();
    private readonly List<IAsyncDisposable> _members = [];
    private ulong _runs;

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("veredus-manager-").FullName;

    /// <summary>Starts a manager; its console is at <see cref="Socket"/>.</summary>
    /// <param name="listen">Options of the console's socket.</param>
    /// <param name="more">More configuration.</param>
    public async Task<VeredusManager> StartManagerAsync(string name, string listen = "", string more = "", string? directory = null, TimeProvider? time = null)
    {
        var place = System.IO.Directory.CreateDirectory(Path.Combine(Directory, directory ?? name)).FullName;
        var file = Path.Combine(place, "eccluster.conf");
        await File.WriteAllTextAsync(file, $$"""
            ec_logger { mainlog = "{{place}}/mainlog.ec" rejectlog = "{{place}}/rejectlog.ec" paniclog = "{{place}}/paniclog.ec" acctlog = "{{place}}/acctlog.ec" heartbeat = 0 }
            control_listener { listen "{{place}}/manager.sock" { {{listen}} } }
            cluster { nodename = "{{name}}" cluster_directory = "{{place}}" }
            logs { control_cache = "{{place}}/cache" }
            {{more}}
            """);
        var manager = await VeredusManager.StartAsync(new()
        {
            Loader = new(new DiskFiles(), new([place])), ConfigurationFile = file, Version = "1.0.0-test", LogToStderr = false, OpenBus = _ => _group.Join(), Time = time ?? TimeProvider.System,
        });
        _members.Add(manager);
        return manager;
    }

    public string Socket(string manager) => Path.Combine(Directory, manager, "manager.sock");

    /// <summary>The lines of a manager's log, written to now.</summary>
    public string[] Log(VeredusManager manager, string directory, string name)
    {
        manager.Logs.Flush();
        var path = Path.Combine(Directory, directory, name);
        return File.Exists(path) ? File.ReadAllLines(path, Encoding.UTF8) : [];
    }

    public FakeNode AddNode(string name, string subcluster = "default")
    {
        var node = new FakeNode(_group.Join(), name, subcluster, new(++_runs));
        _members.Add(node);
        return node;
    }

    /// <summary>Returns when the manager has heard of so many members.</summary>
    public static Task SettledAsync(VeredusManager manager, int members) =>
        manager.Group.Link.UntilAsync(membership => membership.Members.Count(member => member.Hello is not null) == members).WaitAsync(Hang);

    /// <summary>Calls the tool.</summary>
    public static async Task<(int ExitCode, string Out, string Error)> ToolAsync(string calledAs, params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var exitCode = await CommandLine.Cli.RunAsync(new()
        {
            Out = output, Error = error, In = new StringReader(""), CalledAs = calledAs,
        }, arguments, CancellationToken.None).WaitAsync(Hang);
        return (exitCode, output.ToString(), error.ToString());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var member in _members)
            await member.DisposeAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}

/// <summary>A node as far as managers see it.</summary>
internal sealed class FakeNode : IAsyncDisposable
{
    private readonly ClusterLink _link;
    private readonly Delegation _delegation;
    private bool _isDisposed;
    private TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public FakeNode(IGroupBus bus, string name, string subcluster, Incarnation run)
    {
        _held.SetResult();
        _link = new(new() { Kind = MemberKind.Veredus, NodeName = name, Subcluster = subcluster, Version = "1.0.0", Incarnation = run, OpenBus = () => bus, Log = _ => { } });
        _delegation = new(_link, new() { Executor = RunAsync, Log = _ => { } });
        _link.Start();
    }

    public ConcurrentQueue<DelegatedCommand> Ran { get; } = new();

    public Func<DelegatedCommand, CommandOutput> Answer { get; set; } = command => CommandOutput.Collect(0, "", [$"{command.Text} here"], default);

    /// <summary>Commands stay unanswered until <see cref="Release"/>.</summary>
    public void Hold() => _held = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Release() => _held.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        Release();
        await _delegation.DisposeAsync();
        await _link.DisposeAsync();
    }

    private async Task<CommandOutput> RunAsync(DelegatedCommand command, CancellationToken cancellationToken)
    {
        Ran.Enqueue(command);
        await _held.Task.WaitAsync(cancellationToken);
        return Answer(command);
    }
}
