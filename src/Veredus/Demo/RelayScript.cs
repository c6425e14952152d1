using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.CommandLine;
using Veredus.Output;

namespace Veredus.Demo;

/// <summary>What the script found.</summary>
/// <param name="Accepted">Messages that the node answered with 250.</param>
/// <param name="Unanswered">Messages whose answer the kill cut off; they may arrive or not.</param>
/// <param name="Delivered">Different accepted messages that arrived.</param>
/// <param name="Lost">Accepted messages that did not arrive. The promise is 0.</param>
/// <param name="Repeated">Messages that arrived more than once: the kill fell between the receiver's 250 and its record here.</param>
internal sealed record RelayResult(
    int Messages, int Accepted, int Unanswered, int Delivered, int Lost, int Repeated, int Kills, double RestartSeconds, double Seconds, double MessagesPerSecond, bool Passed);

/// <summary>
/// Plays <c>relay</c>: messages go through a real node, which is killed (SIGKILL) once in the middle and started again; then every accepted
/// message has to have arrived.
/// </summary>
internal sealed class RelayScript(Call call)
{
    private const int Senders = 8;
    private const int BodyBytes = 4096;

    public async Task<int> RunAsync(int messages, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(limit);
        var ledger = new MailLedger();
        await using var sink = new DemoSink("sink.demo", new(IPAddress.Loopback, 0), deferEvery: 0, ledger);
        await using var node = LoopbackNode.Create(sink.Port);
        Say($"node in {node.Directory}, SMTP on 127.0.0.1:{node.SmtpPort}, receiver on 127.0.0.1:{sink.Port}");
        var (watch, restart) = (Stopwatch.StartNew(), TimeSpan.Zero);
        await node.StartAsync(deadline.Token);
        Say($"node ready (process {node.ProcessId}); {messages} messages of {BodyBytes / 1024} KiB by {Senders} senders");
        var sending = Stopwatch.StartNew();
        var run = new SendingRun(node.SmtpPort, messages, ledger);
        try
        {
            await run.SendUntilAsync(messages / 2, deadline.Token);
            await node.KillAsync();
            Say($"killed with SIGKILL after {run.Accepted.Count} accepted messages, {ledger.Different} of them delivered");
            await run.StopAsync();
            watch.Restart();
            await node.StartAsync(deadline.Token);
            restart = watch.Elapsed;
            Say(string.Create(CultureInfo.InvariantCulture, $"ready again after {restart.TotalSeconds:0.00} s (process {node.ProcessId})"));
            await run.SendUntilAsync(messages, deadline.Token);
            await ledger.AllArrivedAsync(deadline.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            Say($"time is up after {limit.TotalSeconds:0} s");
        }
        finally
        {
            await run.StopAsync();
        }
        return Report(run, ledger, restart, sending.Elapsed);
    }

    private int Report(SendingRun run, MailLedger ledger, TimeSpan restart, TimeSpan elapsed)
    {
        var delivered = run.Accepted.Count(ledger.HasArrived);
        var lost = run.Accepted.Count - delivered;
        var passed = lost == 0 && run.IsComplete;
        var result = new RelayResult(run.Messages, run.Accepted.Count, run.Unanswered, delivered, lost, ledger.Twice().Count, 1,
            Math.Round(restart.TotalSeconds, 2), Math.Round(elapsed.TotalSeconds, 2), Math.Round(delivered / elapsed.TotalSeconds, 1), passed);
        if (call.IsJson)
        {
            call.Json("veredus.demo.relay/1", "", JsonSerializer.Serialize(result, RelayJson.Default.RelayResult));
        }
        else
        {
            call.Out.Line($"accepted {Human.Count(result.Accepted)}   delivered {Human.Count(delivered)}   lost {lost}   twice {ledger.Twice().Count}   (answer cut off by the kill: {run.Unanswered})");
            call.Out.Line(string.Create(CultureInfo.InvariantCulture, $"{elapsed.TotalSeconds:0.0} s in all, kill and restart included: {result.MessagesPerSecond:0} messages/s"));
            call.Out.Line(passed ? "PASS  every accepted message arrived" : "FAIL", passed ? Tone.Good : Tone.Bad);
        }
        return passed ? ExitCodes.Done : ExitCodes.Expectation;
    }

    private void Say(string text)
    {
        if (!call.IsJson)
            call.Error.Line($"{call.Now.UtcDateTime.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture)}  {text}");
    }

    /// <summary>Several senders that share one list of numbers.</summary>
    private sealed class SendingRun(int port, int messages, MailLedger ledger)
    {
        private readonly Lock _gate = new();
        private readonly HashSet<int> _accepted = [];
        private readonly Queue<int> _again = [];
        private CancellationTokenSource? _stop;
        private Task _senders = Task.CompletedTask;
        private int _next;
        private int _unanswered;

        public int Messages => messages;

        public int Unanswered => Volatile.Read(ref _unanswered);

        public bool IsComplete => Accepted.Count == messages;

        public IReadOnlyCollection<int> Accepted
        {
            get
            {
                lock (_gate)
                    return [.. _accepted];
            }
        }

        /// <summary>Lets the senders run and returns when so many messages are accepted; they go on until <see cref="StopAsync"/>.</summary>
        public async Task SendUntilAsync(int accepted, CancellationToken cancellationToken)
        {
            await StopAsync();
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            _senders = Task.WhenAll(Enumerable.Range(0, Senders).Select(_ => SendAsync(accepted, reached, _stop.Token)));
            await Task.WhenAny(reached.Task, _senders);
            cancellationToken.ThrowIfCancellationRequested();
        }

        public async Task StopAsync()
        {
            if (_stop is null)
                return;
            await _stop.CancelAsync();
            try
            {
                await _senders;
            }
            catch (OperationCanceledException)
            {
                // That is how they stop.
            }
            _stop.Dispose();
            _stop = null;
        }

        private async Task SendAsync(int accepted, TaskCompletionSource reached, CancellationToken cancellationToken)
        {
            await using var sender = new DemoSender(new(IPAddress.Loopback, port), BodyBytes, "sink.demo");
            while (TryNext(out var number))
            {
                bool answered;
                try
                {
                    var outcome = await sender.SendAsync(number, cancellationToken);
                    ledger.Sent(number, outcome);
                    answered = outcome == SendOutcome.Accepted;
                }
                catch (OperationCanceledException)
                {
                    GiveBack(number);
                    throw;
                }
                if (!answered)
                {
                    // The node is gone or refuses: the number is sent again when it is back. Leaving ends this sender's part.
                    GiveBack(number);
                    return;
                }
                lock (_gate)
                {
                    _accepted.Add(number);
                    if (_accepted.Count >= accepted)
                        reached.TrySetResult();
                }
            }
        }

        private bool TryNext(out int number)
        {
            lock (_gate)
            {
                if (_again.TryDequeue(out number))
                    return true;
                number = _next;
                return _next < messages && ++_next > 0;
            }
        }

        private void GiveBack(int number)
        {
            lock (_gate)
            {
                _again.Enqueue(number);
                _unanswered++;
            }
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(RelayResult))]
internal sealed partial class RelayJson : JsonSerializerContext;
