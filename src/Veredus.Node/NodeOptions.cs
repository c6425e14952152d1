using Veredus.Configuration;
using Veredus.Delivery;
using Veredus.Delivery.Dns;

namespace Veredus.Node;

/// <summary>How a node is started.</summary>
public sealed record NodeOptions
{
    /// <summary>Reads the configuration, now and at each reload.</summary>
    public required ConfigurationLoader Loader { get; init; }

    /// <summary>The main file; <see langword="null"/>: looked up along the search path.</summary>
    public string? ConfigurationFile { get; init; }

    /// <summary>Name of this node in the spool's lock; <see langword="null"/>: the host's.</summary>
    public string? NodeName { get; init; }

    /// <summary><c>-n queue</c>: receive, and send nothing.</summary>
    public bool ReceiveOnly { get; init; }

    /// <summary><c>-n esmtp</c>: send what is there, and receive nothing.</summary>
    public bool DrainOnly { get; init; }

    /// <summary>Take a spool whose lock is free although its record names another node.</summary>
    public bool TakeOver { get; init; }

    /// <summary>Entries of the paniclog also go to standard error.</summary>
    public bool LogToStderr { get; init; } = true;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Answers DNS questions in place of libunbound.</summary>
    public IDnsResolver? Resolver { get; init; }

    /// <summary>Where the addresses of bindings are.</summary>
    public IBindingPresence Presence { get; init; } = AlwaysHere.Instance;

    /// <summary>Parts that start with the node and see it: the console, HTTP. They start in this order once the logs are open, and stop in the other.</summary>
    public IReadOnlyList<INodeService> Services { get; init; } = [];

    /// <summary>Longest wait for transactions and messages under way at shutdown.</summary>
    public TimeSpan ShutdownGrace { get; init; } = TimeSpan.FromSeconds(30);
}

/// <summary>A part of the process that lives beside the mail flow.</summary>
public interface INodeService : IAsyncDisposable
{
    /// <summary>Starts; the node's parts exist, its SMTP sockets are not open yet.</summary>
    /// <exception cref="StartupException">It cannot start, and the node must not run without it.</exception>
    ValueTask StartAsync(VeredusNode node, CancellationToken cancellationToken);

    /// <summary>The node is about to stop; everything still runs. Returns when the part has let go of what others wait for.</summary>
    /// <param name="wait">Longest wait.</param>
    ValueTask StoppingAsync(TimeSpan wait) => default;
}
