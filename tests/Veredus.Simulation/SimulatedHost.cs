using Veredus.Duravip;

namespace Veredus.Simulation;

/// <summary>A host: its kernel's addresses, the guard, the bus daemon's client, and the process with the real machine.</summary>
public sealed class SimulatedHost(World world, int number)
{
    /// <summary>What the kernel has: when the lifetime ends, and how late the kernel is in ending it.</summary>
    private readonly Dictionary<VipAddress, (long ExpiresAt, long Late)> _kernel = [];
    private readonly Dictionary<VipAddress, ulong> _plumbing = [];
    private readonly HashSet<VipAddress> _hasty = [];
    private readonly Queue<(DuravipEvent Event, DuravipMessage? Message)> _queue = new();
    private readonly List<DuravipEffect> _effects = [];
    private DuravipMachine? _machine;
    private int _variant;
    private uint _pid = 100;
    private ulong _incarnation;
    private int _life;
    private bool _poweredOn;
    private bool _frozen;
    private long _hungUntil;
    private long _slowUntil;
    private int _slowMs;
    private long _nextTurn;
    private long _aliveUntil;
    private long _timer = -1;
    private bool _carrier = true;
    private (VipAddress? Address, long Until) _refusal;
    private bool _dispatching;

    public int Number => number;
    public string Name { get; } = Setting.Name(number);
    public MemberId Id => new((uint)number, _pid);
    public DuravipMachine? Machine => _machine;
    public long DiedAt { get; private set; } = -1;
    public int Variant => _variant;
    public bool IsPoweredOn => _poweredOn;
    public bool IsRunning => _machine is not null && !_frozen && world.Now >= _hungUntil;
    private DuravipOptions Options => world.Setting.OptionsOf(number);
    private Random Random => world.Random;

    public bool HasAddress(VipAddress address) =>
        _kernel.TryGetValue(address, out var entry) && (entry.ExpiresAt == long.MaxValue || world.Now < entry.ExpiresAt + entry.Late);

    public bool IsPlumbing(VipAddress address) => _plumbing.ContainsKey(address);

    public IEnumerable<VipAddress> AddressesOnHost => _kernel.Keys.Where(HasAddress);

    // Power and processes.

    public void Boot()
    {
        if (_poweredOn)
            return;
        _poweredOn = true;
        world.Bus.StartDaemon(number);
        world.After(Random.Next(1, 300), Start);
        GuardTick(_life);
    }

    public void Restart()
    {
        if (_poweredOn && _machine is null)
            Start();
    }

    private void Start()
    {
        if (!_poweredOn || _machine is not null || _frozen)
            return;
        if (Random.Next(4) != 0)
            _pid++;
        DiedAt = -1;
        (_hungUntil, _slowUntil, _timer, _aliveUntil) = (0, 0, -1, 0);
        _machine = new(Name, MemberRole.Node, world.Setting.SetOf(number, _variant), Options, world.Weaknesses);
        Tell(new StartedEvent());
    }

    public void Crash()
    {
        if (!_poweredOn)
            return;
        _poweredOn = false;
        _life++;
        EndProcess();
        _frozen = false;
        _kernel.Clear();
        world.Bus.StopDaemon(number);
    }

    public void Kill()
    {
        if (_machine is null || _frozen)
            return;
        EndProcess();
        world.Bus.Leave(number, DepartureReason.ProcessDeath);
        // The guard sees its socket close.
        var life = _life;
        world.After(Random.Next(10, 100), () =>
        {
            if (life == _life)
                _kernel.Clear();
        });
        world.After(110, () => world.Observer.CheckClean(this));
    }

    private void EndProcess()
    {
        if (_machine is not null)
            DiedAt = world.Now;
        _machine = null;
        _queue.Clear();
        _plumbing.Clear();
    }

    public void Hang(long durationMs)
    {
        if (_machine is null)
            return;
        _hungUntil = Math.Max(_hungUntil, world.Now + durationMs);
        var machine = _machine;
        world.At(_hungUntil, () =>
        {
            if (_machine == machine && IsRunning)
                Resume();
        });
    }

    public void Freeze(long durationMs)
    {
        if (!_poweredOn || _frozen)
            return;
        var life = _life;
        _frozen = true;
        world.Bus.Freeze(number, frozen: true);
        world.After(durationMs, () =>
        {
            if (life == _life)
                Thaw();
        });
    }

    private void Thaw()
    {
        if (!_frozen)
            return;
        _frozen = false;
        world.Bus.Freeze(number, frozen: false);
        GuardTick(_life);
        if (_machine is null)
            Start();
        else if (IsRunning)
            Resume();
    }

    public void LoseBus(long durationMs)
    {
        if (!_poweredOn || _frozen || !world.Bus.IsUp(number))
            return;
        world.Bus.StopDaemon(number);
        DropBusEvents();
        if (_machine is not null)
            Tell(new BusLostEvent());
        var life = _life;
        world.After(durationMs, () => { if (life == _life) world.Bus.StartDaemon(number); });
    }

    public void Slow(long durationMs, int everyMs) => (_slowUntil, _slowMs) = (world.Now + durationMs, everyMs);

    // Faults below the machine.

    public void RefusePlumbing(VipAddress? address, long durationMs) => _refusal = (address, world.Now + durationMs);

    public void Reconfigure(int variant)
    {
        _variant = variant;
        Tell(new ReconfiguredEvent(world.Setting.SetOf(number, variant), Options));
    }

    public void LoseCarrier(long durationMs)
    {
        SetCarrier(false);
        world.After(durationMs, () => SetCarrier(true));
    }

    private void SetCarrier(bool up)
    {
        _carrier = up;
        Tell(new CarrierChangedEvent(Setting.Place.Interface, up));
    }

    public void RemoveBehindBack(VipAddress address)
    {
        if (_kernel.Remove(address))
            Tell(new AddressGoneEvent(address, LeaseExpired: false));
    }

    public void AddBehindBack(VipAddress address)
    {
        if (_machine?.Vips.Find(address) is null || HasAddress(address) || IsPlumbing(address))
            return;
        world.Observer.NoteForeign(this, address);
        _kernel[address] = (long.MaxValue, 0);
        Tell(new AddressPresentEvent(address, new("eth0", 24)));
    }

    public void Repair()
    {
        (_hungUntil, _slowUntil, _refusal) = (0, 0, default);
        Boot();
        Thaw();
        world.Bus.StartDaemon(number);
        world.After(10_000, Restart);  // a stop that was asked for may still be under way
        if (_machine is null)
        {
            Start();
            return;
        }
        if (!_carrier)
            SetCarrier(true);
        if (_variant != 0)
            Reconfigure(0);
        if (!_machine.IsStopping)
            Tell(new DrainCommand(false));
        Tell(new UnpinCommand(null));
        Resume();
    }

    // The process's main loop.

    public void Tell(DuravipEvent happened)
    {
        Enqueue(happened, null);
        Dispatch();
    }

    public void Enqueue(DuravipEvent happened, DuravipMessage? message)
    {
        if (_machine is not null)
            _queue.Enqueue((happened, message));
    }

    private void DropBusEvents()
    {
        var rest = _queue.Where(entry => entry.Event is not (DeliveredEvent or ViewChangedEvent)).ToList();
        _queue.Clear();
        foreach (var entry in rest)
            _queue.Enqueue(entry);
    }

    private void Resume()
    {
        Inspect();
        Dispatch();
    }

    public void Dispatch()
    {
        if (_dispatching || _machine is null || !IsRunning)
            return;
        if (world.Now < _slowUntil)
        {
            if (world.Now < _nextTurn)
                return;
            _nextTurn = world.Now + _slowMs;
            world.At(_nextTurn, Dispatch);
        }
        _dispatching = true;
        var machine = _machine;
        while (_machine == machine && machine is not null && _queue.TryDequeue(out var next))
            Apply(machine, next.Event, next.Message);
        if (_machine == machine)
            Apply(machine, new QueueDrainedEvent(), null);
        _dispatching = false;
        if (_queue.Count > 0)
            world.After(0, Dispatch);
    }

    private void Apply(DuravipMachine machine, DuravipEvent happened, DuravipMessage? message)
    {
        if (happened is JoinedEvent { Incarnation: var incarnation } && incarnation != _incarnation)
            return;
        world.Steps++;
        var before = machine.Ordered;
        _effects.Clear();
        machine.Apply(happened, world.Now, _effects);
        if (world.IsTracing && happened is not (QueueDrainedEvent or TimerFiredEvent) && message is not HeartbeatMessage)
            world.Trace(number, $"{Words.Of(message ?? (object)happened)} -> {machine.Phase} {machine.View} #{machine.Ordered}");
        if (happened is DeliveredEvent or ViewChangedEvent)
            world.Observer.AfterDelivery(this, message, machine.Ordered != before);
        foreach (var effect in _effects.ToArray())
            Carry(machine, effect);
    }

    private void Carry(DuravipMachine machine, DuravipEffect effect)
    {
        if (world.IsTracing && effect is not (SetTimerEffect or ConfirmAliveEffect or ExplainEffect or SampleNeighboursEffect or InspectHostEffect or MulticastEffect { Message: HeartbeatMessage }))
            world.Trace(number, $"   => {Words.Of(effect is MulticastEffect multicast ? multicast.Message : effect)}");
        var life = _life;
        switch (effect)
        {
            case MulticastEffect send:
                for (var i = 0; i < send.Chunks.Count; i++)
                    world.Bus.Send(number, Id, send.Chunks[i], i == send.Chunks.Count - 1 ? send.Message : null);
                break;
            case PlumbEffect plumb:
                Plumb(machine, plumb);
                break;
            case TellNeighboursEffect tell:
                world.Observer.NoteTold(this, tell.Address);
                break;
            case UnplumbEffect unplumb:
                Unplumb(machine, unplumb);
                break;
            case ConfirmAliveEffect alive:
                _aliveUntil = Math.Max(_aliveUntil, alive.EvidenceAtMs + Options.AliveWindowMs);
                break;
            case SetTimerEffect timer:
                _timer = timer.AtMs;
                world.At(timer.AtMs, () =>
                {
                    if (_machine == machine && _timer == timer.AtMs)
                        Tell(new TimerFiredEvent());
                });
                break;
            case CleanHostEffect:
                world.After(Random.Next(1, 20), () =>
                {
                    if (_machine != machine || life != _life)
                        return;
                    _kernel.Clear();
                    Tell(new HostCleanedEvent());
                });
                break;
            case JoinGroupEffect:
                Join(machine);
                break;
            case LeaveGroupEffect:
                world.Bus.Leave(number, DepartureReason.Leave);
                DropBusEvents();
                break;
            case StopServiceEffect { DrainMs: 0 } stop:
                _hasty.Add(stop.Address);
                break;
            case StoppedEffect:
                EndProcess();
                world.After(1, () => world.Observer.CheckClean(this));
                break;
            case InspectHostEffect:
                world.After(0, Inspect);
                break;
        }
    }

    private void Join(DuravipMachine machine)
    {
        if (_machine != machine)
            return;
        if (_frozen || !IsRunning || !world.Bus.CanJoin(number, Id))
        {
            world.After(100, () => Join(machine));
            return;
        }
        _incarnation = (ulong)world.Now << 20 | (uint)Random.Next(1 << 20);
        Enqueue(new JoinedEvent(Id, _incarnation), null);
        Enqueue(new QuorumChangedEvent(world.Bus.IsQuorate(number)), null);
        world.Bus.Join(number, Id);
        world.After(0, Dispatch);
    }

    // The guard and the kernel.

    private void Plumb(DuravipMachine machine, PlumbEffect plumb)
    {
        world.Observer.BeforePlumb(this, machine, plumb.Address);
        _plumbing[plumb.Address] = plumb.Operation;
        Add(machine, plumb, Random.Next(5) == 0 ? Random.Next(1, 400) : Random.Next(1, 15));
    }

    private bool IsStillWanted(PlumbEffect plumb) =>
        _plumbing.TryGetValue(plumb.Address, out var operation) && operation == plumb.Operation;

    private void Add(DuravipMachine machine, PlumbEffect plumb, long delay)
    {
        world.After(delay, () =>
        {
            // The guard adds nothing without fresh proof of life: this may have been asked for before a stall.
            if (_machine == machine && IsStillWanted(plumb) && (_frozen || world.Now > _aliveUntil))
            {
                Add(machine, plumb, 50);
                return;
            }
            if (_machine != machine || !IsStillWanted(plumb))
                return;
            _plumbing.Remove(plumb.Address);
            if (world.Now < _refusal.Until && (_refusal.Address is null || _refusal.Address == plumb.Address))
            {
                _kernel.Remove(plumb.Address);
                Tell(new PlumbFailedEvent(plumb.Operation, "Operation not permitted"));
                return;
            }
            _kernel[plumb.Address] = (plumb.LeaseMs == 0 ? long.MaxValue : world.Now + plumb.LeaseMs, Random.Next(0, 500));
            world.Observer.AfterAdd(this, plumb.Address);
            world.Observer.NoteTold(this, plumb.Address);
            Tell(new PlumbedEvent(plumb.Operation));
        });
    }

    private void Unplumb(DuravipMachine machine, UnplumbEffect unplumb)
    {
        _plumbing.Remove(unplumb.Address);
        _hasty.Remove(unplumb.Address);
        var drain = unplumb.Reason is ChangeReason.Move or ChangeReason.Balance or ChangeReason.Preference or ChangeReason.Drain ? Random.Next(0, 500) : 0;
        Remove(machine, unplumb, Random.Next(1, 15), drain);
    }

    private void Remove(DuravipMachine machine, UnplumbEffect unplumb, long delay, long drain) => world.After(delay, () =>
    {
        if (_machine != machine)
            return;
        if (_frozen || drain > 0 && !_hasty.Contains(unplumb.Address))
        {
            Remove(machine, unplumb, 20, drain - 20);
            return;
        }
        _kernel.Remove(unplumb.Address);
        Tell(new UnplumbedEvent(unplumb.Operation));
    });

    /// <summary>Every quarter of a lease the guard renews what is still there, while the process has proved that it lives.</summary>
    private void GuardTick(int life)
    {
        if (life != _life || _frozen)
            return;
        var lease = Options.EffectiveLeaseMs;
        if (world.Now <= _aliveUntil)
        {
            foreach (var address in _kernel.Keys.ToList())
            {
                if (world.Now < _kernel[address].ExpiresAt && _kernel[address].ExpiresAt != long.MaxValue)
                    _kernel[address] = (world.Now + lease, Random.Next(0, 500));
            }
        }
        ReportExpired();
        world.Observer.CheckLease(this, _aliveUntil);
        world.After(lease / 4, () => GuardTick(life));
    }

    private void ReportExpired()
    {
        foreach (var address in _kernel.Keys.Where(address => !HasAddress(address)).ToList())
        {
            _kernel.Remove(address);
            if (_machine is not null)
                Tell(new AddressGoneEvent(address, LeaseExpired: true));
        }
    }

    /// <summary>The maintenance cycle: each difference between kernel and machine becomes an event.</summary>
    private void Inspect()
    {
        if (_machine is not { } machine || _frozen)
            return;
        ReportExpired();
        foreach (var address in _kernel.Keys.ToList())
        {
            if (!machine.Locals.TryGetValue(address, out var local) || !local.IsHeld)
                Tell(new AddressPresentEvent(address, Setting.Place));
        }
        foreach (var local in machine.Locals.Values.ToList())
        {
            if (local.Phase == LocalPhase.Plumbed && !_kernel.ContainsKey(local.Address))
                Tell(new AddressGoneEvent(local.Address, LeaseExpired: false));
        }
    }
}
