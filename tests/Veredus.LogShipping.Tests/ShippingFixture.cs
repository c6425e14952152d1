using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Net;
using System.Text;
using Veredus.Cluster;
using Veredus.Journal;

namespace Veredus.LogShipping.Tests;

/// <summary>A node with journals and a manager with files, in one process; the connection between them can be cut.</summary>
public abstract class ShippingFixture : IAsyncDisposable
{
    protected static readonly TimeSpan Hang = TimeSpan.FromSeconds(90);

    private readonly List<string> _reports = [];
    private readonly ConcurrentDictionary<(LogKey, RecordId), TaskCompletionSource> _acknowledged = new();

    protected ShippingFixture()
    {
        Base = Directory.CreateTempSubdirectory("veredus-logs-").FullName;
        Node = new(this, "mta1");
    }

    protected string Base { get; }

    internal TestNode Node { get; }

    protected string Files => Path.Join(Base, "files");

    internal LogCollectorSettings Settings(string manager = "mgr1", string pattern = "%{l}/%{n}") => new()
    {
        ManagerName = manager,
        Logfile = Pattern(Path.Join(Files, pattern)),
        RetryInterval = TimeSpan.FromMilliseconds(5),
        ListInterval = TimeSpan.FromMilliseconds(5),
    };

    internal static LogPattern Pattern(string text) => LogPattern.TryParse(text, TimeZoneInfo.Utc, out var pattern, out var error) ? pattern : throw new ArgumentException(error);

    internal LogCollector Collect(LogCollectorSettings settings, params TestNode[] nodes) => Collect(settings, TimeProvider.System, nodes);

    internal LogCollector Collect(LogCollectorSettings settings, TimeProvider time, params TestNode[] nodes)
    {
        var collector = LogCollector.Start(settings, Path.Join(Base, "state", settings.ManagerName), new TestSource(settings.ManagerName, nodes.Length > 0 ? nodes : [Node]), time, Report);
        collector.Acknowledged += (key, id) => Signal(key, id).TrySetResult();
        return collector;
    }

    /// <summary>Completes when the record is on the manager's disk.</summary>
    internal Task Arrived(LogKey key, RecordId id) => Signal(key, id).Task.WaitAsync(Hang);

    internal string Lines(string file) => File.ReadAllText(Path.Join(Files, file));

    internal IReadOnlyList<string> Reports
    {
        get
        {
            lock (_reports)
                return [.. _reports];
        }
    }

    internal void Report(string text)
    {
        lock (_reports)
            _reports.Add(text);
    }

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        Directory.Delete(Base, recursive: true);
        GC.SuppressFinalize(this);
    }

    private TaskCompletionSource Signal(LogKey key, RecordId id) => _acknowledged.GetOrAdd((key, id), _ => new(TaskCreationOptions.RunContinuationsAsynchronously));

    /// <summary>One node: journals under its own directory, all of them published.</summary>
    internal sealed class TestNode : IAsyncDisposable
    {
        private readonly ShippingFixture _fixture;
        private readonly ConcurrentDictionary<Task, CancellationTokenSource> _serving = new();

        public TestNode(ShippingFixture fixture, string name)
        {
            (_fixture, Name) = (fixture, name);
            Service = new(() => new(Logs, TimeSpan.Zero, TimeSpan.FromMilliseconds(2)), TimeProvider.System, fixture.Report);
        }

        public string Name { get; }

        public LogService Service { get; }

        public Dictionary<string, string> Logs { get; } = [];

        /// <summary>By the node's clock, for all that it writes.</summary>
        public static DateTimeOffset WrittenAt => DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);

        /// <summary>Refuses connections while set.</summary>
        public bool IsDown { get; set; }

        public string Make(string log, string subscriber = "mgr1", uint unitLimit = 4 << 20)
        {
            var directory = Path.Join(_fixture.Base, Name, log);
            Directory.CreateDirectory(Path.GetDirectoryName(directory)!);
            JournalDirectory.Create(directory, unitLimit);
            JournalDirectory.AddSubscriber(directory, subscriber);
            Logs[log] = directory;
            return directory;
        }

        public RecordId Write(string log, params string[] lines)
        {
            using (var writer = JournalWriter.Open(Logs[log]))
            {
                foreach (var line in lines)
                    writer.Append(Encoding.UTF8.GetBytes(line), 1_700_000_000_000_000);
            }
            using var reader = JournalReader.Open(Logs[log], JournalDirectory.Subscribers(Logs[log])[0].Subscriber);
            return reader.Last;
        }

        public ILogConnection Connect(string manager)
        {
            if (IsDown)
                throw new IOException($"{Name} is down");
            Pipe there = new(), back = new();
            var stop = new CancellationTokenSource();
            var peer = new ClusterPeer(manager, new(1), new IPEndPoint(IPAddress.Loopback, 1));
            var serving = ServeAsync(peer, new End(there.Reader, back.Writer), stop.Token);
            _serving[serving] = stop;
            return new Connection(new End(back.Reader, there.Writer), stop);
        }

        /// <summary>Ends all connections now, as a crash of the process would.</summary>
        public async Task CutAsync()
        {
            foreach (var (serving, stop) in _serving)
            {
                await stop.CancelAsync();
                await serving;
            }
            _serving.Clear();
        }

        public async ValueTask DisposeAsync() => await CutAsync();

        private async Task ServeAsync(ClusterPeer peer, End end, CancellationToken cancellationToken)
        {
            try
            {
                await Service.ServeAsync(peer, end, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                // Cut.
            }
            finally
            {
                await end.Output.CompleteAsync();
                await end.Input.CompleteAsync();
            }
        }
    }

    private sealed record End(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    private sealed class Connection(End end, CancellationTokenSource stop) : ILogConnection
    {
        public IDuplexPipe Transport => end;

        public async ValueTask DisposeAsync()
        {
            await stop.CancelAsync();
            await end.Output.CompleteAsync();
            await end.Input.CompleteAsync();
        }
    }

    private sealed class TestSource(string manager, TestNode[] nodes) : ILogSource
    {
        public IReadOnlyList<LogNode> Nodes => [.. nodes.Select(node => new LogNode(node.Name, "default"))];

        public Task<ILogConnection> ConnectAsync(LogNode node, CancellationToken cancellationToken)
        {
            try
            {
                return Task.FromResult(nodes.First(one => one.Name == node.Name).Connect(manager));
            }
            catch (IOException e)
            {
                return Task.FromException<ILogConnection>(e);
            }
        }
    }
}
