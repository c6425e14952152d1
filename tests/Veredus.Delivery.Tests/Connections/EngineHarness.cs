using System.Net;
using System.Text;
using System.Threading.Channels;
using Veredus.Configuration;
using Veredus.Delivery.Dns;
using Veredus.Delivery.Tests.Dns;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Delivery.Tests.Connections;

/// <summary>The whole engine on a real spool in a temporary directory, in real time, with a DNS from a table.</summary>
internal sealed class EngineHarness : IDeliveryObserver, IMessageInjector, IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-delivery-").FullName;
    private readonly Channel<object> _events = Channel.CreateUnbounded<object>();
    private readonly DeadlineClock _deadlines = new(TimeProvider.System);
    private ushort _counter;

    private EngineHarness()
    {
    }

    public DeliveryEngine Engine { get; private set; } = null!;
    public SpoolStore Spool { get; private set; } = null!;
    public ConfiguredPolicies Policies { get; private set; } = null!;
    public ScriptedResolver Dns { get; } = new();
    public List<OwnMessage> Injected { get; } = [];
    public List<string> Notices { get; } = [];
    public List<DoubtEvent> Doubts { get; } = [];
    public bool RefuseInjection { get; set; }

    public static async Task<EngineHarness> StartAsync(string configuration, IBindingPresence? presence = null)
    {
        var harness = new EngineHarness();
        harness.Spool = await SpoolStore.OpenAsync(new SpoolOptions { Base = harness._directory, NodeName = "node" }, TimeProvider.System);
        harness.Policies = new(ConfigurationSnapshot.FromText("hostname = \"node.example.org\"\n" + configuration), "node.example.org");
        harness.Engine = new(new(harness.Spool, harness.Policies, harness.Dns, harness, harness, harness._deadlines, TimeProvider.System) { Presence = presence ?? AlwaysHere.Instance });
        harness.Engine.Start();
        return harness;
    }

    /// <summary>Lets the domain resolve to these addresses.</summary>
    public void Route(string domain, params string[] addresses)
    {
        Dns.Set(domain, DnsType.Mx, DnsAnswer.OfMx(300, new MxRecord(10, $"mx.{domain}")));
        Dns.Set($"mx.{domain}", DnsType.A, DnsAnswer.OfAddresses(300, [.. addresses.Select(IPAddress.Parse)]));
    }

    /// <summary>Stores one message for each recipient, as reception does, and queues them.</summary>
    public async Task<Envelope[]> SubmitContentAsync(string content, Func<Envelope, Envelope>? change, params string[] recipients)
    {
        using var body = Spool.CreateBody();
        var bytes = Encoding.UTF8.GetBytes(content);
        for (var at = 0; at < bytes.Length;)
        {
            var part = Math.Min(16384, bytes.Length - at);
            bytes.AsSpan(at, part).CopyTo(body.GetSpan(part));
            body.Advance(part);
            at += part;
            await body.FlushAsync();
        }
        var batch = default(MessageId);
        var envelopes = recipients.Select(recipient =>
        {
            var id = new MessageId((uint)DateTimeOffset.UtcNow.ToUnixTimeSeconds(), 7, ++_counter);
            batch = batch.Value == 0 ? id : batch;
            var envelope = new Envelope
            {
                Id = id, BatchId = batch, Received = DateTimeOffset.UtcNow, Protocol = "ESMTP", Sender = "ann@example.org", Recipient = recipient, BindingGroup = "default", Binding = "default",
            };
            return change is null ? envelope : change(envelope);
        }).ToArray();
        var result = await Spool.CommitAsync(body, envelopes);
        Assert.Equal(CommitStatus.Durable, result.Status);
        for (var i = 0; i < envelopes.Length; i++)
            Engine.Enqueue(result.Messages[i], envelopes[i]);
        return envelopes;
    }

    public Task<Envelope[]> SubmitAsync(params string[] recipients) => SubmitContentAsync("Subject: hi\r\n\r\nhello\r\n", null, recipients);

    /// <summary>The next thing that the observer or the injector was told.</summary>
    public async Task<T> NextAsync<T>()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        try
        {
            while (true)
                if (await _events.Reader.ReadAsync(deadline.Token) is T wanted)
                    return wanted;
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"No {typeof(T).Name} came. Notices: {string.Join("; ", Notices)}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Engine.DisposeAsync();
        await Spool.DisposeAsync();
        _deadlines.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    void IDeliveryObserver.Delivered(in DeliveredEvent delivered) => _events.Writer.TryWrite(delivered);
    void IDeliveryObserver.Failed(in FailedEvent failed) => _events.Writer.TryWrite(failed);

    void IDeliveryObserver.InDoubt(in DoubtEvent doubt)
    {
        lock (Doubts)
            Doubts.Add(doubt);
    }

    void IDeliveryObserver.Notice(DeliveryNotice notice, string text)
    {
        lock (Notices)
            Notices.Add($"{notice}: {text}");
    }

    ValueTask<bool> IMessageInjector.InjectAsync(OwnMessage message, CancellationToken cancellationToken)
    {
        if (!RefuseInjection)
            lock (Injected)
                Injected.Add(message);
        _events.Writer.TryWrite(message);
        return ValueTask.FromResult(!RefuseInjection);
    }
}
